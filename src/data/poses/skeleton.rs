//! Names of key points, which of them change places in a mirrored picture, and the limbs between them.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A key point: x and y in pixels of the picture (0 is its left or upper border, so that the middle of its first pixel is
/// 0.5), and a number above 0 where it is known.
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

/// The 24 points of clothing of the FashionAI challenge, in its order. Left is left in the picture of a garment seen from
/// the front, inner and outer cuffs and bottoms are those towards the trunk or the other leg and away from it.
const FASHION: [&str; 24] = [
    "left neckline",
    "right neckline",
    "center front",
    "left shoulder",
    "right shoulder",
    "left armpit",
    "right armpit",
    "left waistline",
    "right waistline",
    "left cuff in",
    "left cuff out",
    "right cuff in",
    "right cuff out",
    "left top hem",
    "right top hem",
    "left waistband",
    "right waistband",
    "left hemline",
    "right hemline",
    "crotch",
    "left bottom in",
    "left bottom out",
    "right bottom in",
    "right bottom out",
];

/// Skeletons that have a short name in files.
const KNOWN: [(&str, &[&str]); 3] = [("bones", &BONES), ("openpose", &OPENPOSE), ("fashion", &FASHION)];

/// A part of the body, by which skeletons are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Head and neck.
    Head,
    /// Hips, spine and chest.
    Trunk,
    /// The character's left arm.
    LeftArm,
    /// The character's right arm.
    RightArm,
    /// The character's left leg.
    LeftLeg,
    /// The character's right leg.
    RightLeg,
}

/// Two key points with a line between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limb {
    /// Number of the key point nearer to the trunk.
    pub from: usize,
    /// Number of the other one.
    pub to: usize,
    /// What both belong to.
    pub part: Part,
}

/// Limbs of the middle.
const MIDDLE: [(&str, &str, Part); 6] = [
    ("hips", "spine", Part::Trunk),
    ("spine", "chest", Part::Trunk),
    ("chest", "neck", Part::Trunk),
    ("neck", "head", Part::Head),
    ("head", "head top", Part::Head),
    ("neck", "nose", Part::Head),
];

/// Limbs of one side: where they begin, where they end, and their part on the left and on the right.
const SIDES: [(&str, &str, [Part; 2]); 15] = {
    const HEAD: [Part; 2] = [Part::Head; 2];
    const ARM: [Part; 2] = [Part::LeftArm, Part::RightArm];
    const LEG: [Part; 2] = [Part::LeftLeg, Part::RightLeg];
    [
        ("nose", "eye", HEAD),
        ("eye", "ear", HEAD),
        ("neck", "shoulder", ARM),
        ("shoulder", "elbow", ARM),
        ("elbow", "wrist", ARM),
        ("neck", "hip", LEG),
        ("hip", "knee", LEG),
        ("knee", "ankle", LEG),
        ("chest", "upper arm", ARM),
        ("upper arm", "lower arm", ARM),
        ("lower arm", "hand", ARM),
        ("hips", "upper leg", LEG),
        ("upper leg", "lower leg", LEG),
        ("lower leg", "foot", LEG),
        ("foot", "toe", LEG),
    ]
};

/// The key points of a data set, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
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

    /// The 24 points of clothing of the FashionAI challenge. There are no limbs between them.
    ///
    /// # Errors
    /// None: the names differ.
    pub fn fashion() -> Result<Skeleton> {
        Skeleton::new(&FASHION)
    }

    /// The skeleton of a short name: "bones", "openpose" or "fashion".
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> Result<Skeleton> {
        match KNOWN.iter().find(|(known, _)| *known == name) {
            Some((_, names)) => Skeleton::new(names),
            None => {
                let expected = "\"bones\", \"openpose\" or \"fashion\"";
                Err(Error::invalid("skeleton", format!("\"{name}\""), expected, "Or give a list of names."))
            }
        }
    }

    /// The skeleton with so many key points, where only one known skeleton has as many: 18, 20 or 24.
    pub fn of_len(keypoints: usize) -> Option<Skeleton> {
        let (name, _) = KNOWN.iter().find(|(_, names)| names.len() == keypoints)?;
        Skeleton::named(name).ok()
    }

    /// The short name, for one of the known skeletons.
    pub fn name(&self) -> Option<&'static str> {
        KNOWN.iter().find(|(_, names)| self.names.iter().eq(names.iter())).map(|(name, _)| *name)
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

    /// The number of a key point.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|found| found == name)
    }

    /// The key points of the mirrored picture, `width` pixels wide: the left hand is then where the right one was.
    pub fn mirrored(&self, points: &[KeyPoint], width: f32) -> Vec<KeyPoint> {
        let mirror = |&[x, y, known]: &KeyPoint| [width - x, y, known];
        let of = |partner: &usize| points.get(*partner).map_or([0.0; 3], mirror);
        self.partners.iter().map(of).collect()
    }

    /// The lines of a drawing, from the trunk outwards: those between key points that both have a name of the bones or of
    /// OpenPose's points. None for other names.
    pub fn limbs(&self) -> Vec<Limb> {
        let limb = |from: &str, to: &str, part| Some(Limb { from: self.position(from)?, to: self.position(to)?, part });
        let middle = MIDDLE.iter().filter_map(|&(from, to, part)| limb(from, to, part));
        let sides = ["left", "right"].into_iter().enumerate().flat_map(|(i, side)| {
            SIDES.iter().filter_map(move |&(from, to, parts)| {
                let of_side = format!("{side} {from}");
                let from = if self.position(&of_side).is_some() { of_side.as_str() } else { from };
                limb(from, &format!("{side} {to}"), parts[i])
            })
        });
        middle.chain(sides).collect()
    }

    /// The part of each key point: that of the limb which ends there, the trunk where none does.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Trunk; self.len()];
        self.limbs().iter().for_each(|limb| parts[limb.to] = limb.part);
        parts
    }
}

impl TryFrom<Vec<String>> for Skeleton {
    type Error = Error;

    fn try_from(names: Vec<String>) -> Result<Skeleton> {
        Skeleton::new(&names)
    }
}

impl From<Skeleton> for Vec<String> {
    fn from(skeleton: Skeleton) -> Vec<String> {
        skeleton.names
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
        assert_eq!((bones.name(), openpose.name()), (Some("bones"), Some("openpose")));
        assert_eq!(Skeleton::of_len(18), Some(openpose));
        assert!(Skeleton::of_len(25).is_none() && Skeleton::named("coco").is_err());
    }

    #[test]
    fn limbs_make_one_tree_of_all_points() {
        for skeleton in [Skeleton::bones().unwrap(), Skeleton::openpose().unwrap()] {
            let limbs = skeleton.limbs();
            assert_eq!(limbs.len(), skeleton.len() - 1);
            let mut joined = vec![limbs[0].from];
            while let Some(limb) = limbs.iter().find(|l| joined.contains(&l.from) && !joined.contains(&l.to)) {
                joined.push(limb.to);
            }
            assert_eq!(joined.len(), skeleton.len());
            let part = |name: &str| skeleton.parts()[skeleton.position(name).unwrap()];
            let (hand, leg) = if skeleton.len() == 20 { ("hand", "toe") } else { ("wrist", "ankle") };
            assert_eq!(part(&format!("left {hand}")), Part::LeftArm);
            assert_eq!(part(&format!("right {leg}")), Part::RightLeg);
        }
        assert!(Skeleton::new(&["a", "b"]).unwrap().limbs().is_empty());
    }

    #[test]
    fn a_skeleton_is_a_list_of_names_in_files() {
        let skeleton = Skeleton::new(&["left a", "right a"]).unwrap();
        let text = serde_json::to_string(&skeleton).unwrap();
        assert_eq!(text, r#"["left a","right a"]"#);
        assert_eq!(serde_json::from_str::<Skeleton>(&text).unwrap(), skeleton);
        assert!(serde_json::from_str::<Skeleton>("[]").is_err());
    }
}
