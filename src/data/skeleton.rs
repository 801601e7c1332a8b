//! Names of key points, and which of them change places in a mirrored picture.

use crate::{Error, Result};

/// A key point: x and y in pixels of the picture (0 is its left or upper border), and a number above 0 where it is known.
pub type KeyPoint = [f32; 3];

/// Bones of PSGAN's avatars (Hamada et al. 2018, section 4: 20 key points from the bones of a 3D model, which the paper
/// does not name): six of the trunk and seven pairs of the limbs.
const BONES: [&str; 20] = [
    "hips",
    "spine",
    "chest",
    "neck",
    "head",
    "head top",
    "left upper arm",
    "right upper arm",
    "left lower arm",
    "right lower arm",
    "left hand",
    "right hand",
    "left upper leg",
    "right upper leg",
    "left lower leg",
    "right lower leg",
    "left foot",
    "right foot",
    "left toe",
    "right toe",
];

/// OpenPose's 18 points in COCO order.
const OPENPOSE: [&str; 18] = [
    "nose",
    "neck",
    "right shoulder",
    "right elbow",
    "right wrist",
    "left shoulder",
    "left elbow",
    "left wrist",
    "right hip",
    "right knee",
    "right ankle",
    "left hip",
    "left knee",
    "left ankle",
    "right eye",
    "left eye",
    "right ear",
    "left ear",
];

/// The key points of a data set, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skeleton {
    names: Vec<String>,
    partners: Vec<usize>,
}

impl Skeleton {
    /// Key points of these names. `left ...` and `right ...` of one name change places in a mirrored picture.
    ///
    /// # Errors
    /// When there are none, or two of one name.
    pub fn new<S: AsRef<str>>(names: &[S]) -> Result<Skeleton> {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_string()).collect();
        if names.is_empty() {
            return Err(Error::invalid("key points", "none", "at least one", ""));
        }
        if let Some((_, name)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return Err(Error::invalid("key points", format!("\"{name}\" twice"), "different names", ""));
        }
        let other = |name: &str| match (name.strip_prefix("left "), name.strip_prefix("right ")) {
            (Some(rest), _) => Some(format!("right {rest}")),
            (_, Some(rest)) => Some(format!("left {rest}")),
            _ => None,
        };
        let place = |name: String| names.iter().position(|found| *found == name);
        let partners = names.iter().enumerate().map(|(i, name)| other(name).and_then(place).unwrap_or(i)).collect();
        Ok(Skeleton { names, partners })
    }

    /// The 20 bones of PSGAN's avatars.
    ///
    /// # Errors
    /// None: the names differ.
    pub fn bones() -> Result<Skeleton> {
        Skeleton::new(&BONES)
    }

    /// OpenPose's 18 points.
    ///
    /// # Errors
    /// None: the names differ.
    pub fn openpose() -> Result<Skeleton> {
        Skeleton::new(&OPENPOSE)
    }

    /// Number of key points.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none. There is always one.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The key points of the mirrored picture, `width` pixels wide: the left hand is then where the right one was.
    pub fn mirrored(&self, points: &[KeyPoint], width: f32) -> Vec<KeyPoint> {
        let mirror = |&[x, y, known]: &KeyPoint| [width - x, y, known];
        let of = |partner: &usize| points.get(*partner).map_or([0.0; 3], mirror);
        self.partners.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_and_right_change_places() {
        let skeleton = Skeleton::new(&["nose", "left hand", "right hand", "left ear"]).unwrap();
        let points = [[10.0, 1.0, 1.0], [20.25, 2.0, 1.0], [30.0, 3.0, 0.0], [5.0, 4.0, 1.0]];
        let mirrored = skeleton.mirrored(&points, 64.0);
        assert_eq!(mirrored, [[54.0, 1.0, 1.0], [34.0, 3.0, 0.0], [43.75, 2.0, 1.0], [59.0, 4.0, 1.0]]);
        assert_eq!(skeleton.mirrored(&mirrored, 64.0), points);
        // Column c of a mirrored picture is column W − 1 − c.
        assert_eq!(mirrored[2][0].floor(), 64.0 - 1.0 - points[1][0].floor());
    }

    #[test]
    fn skeletons_of_the_papers() {
        let (bones, openpose) = (Skeleton::bones().unwrap(), Skeleton::openpose().unwrap());
        assert_eq!([bones.len(), openpose.len()], [20, 18]);
        let changed = |skeleton: &Skeleton| skeleton.partners.iter().enumerate().filter(|(i, p)| i != *p).count();
        assert_eq!([changed(&bones), changed(&openpose)], [14, 16]);
        assert!(Skeleton::new(&["a", "a"]).is_err() && Skeleton::new::<&str>(&[]).is_err());
    }
}
