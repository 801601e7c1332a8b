//! Whether characters stay themselves: the mean colours of figures, from pose to pose and from character to character.

use serde::Serialize;
use tachie::Result;
use tachie::data::batch::Images;
use tachie::data::dataset::Dataset;
use tachie::data::poses::person;
use tachie::image::RgbImage;
use tachie::models::psgan::Psgan;

/// Characters of each pose.
const CHARACTERS: u32 = 12;

/// How far a pixel's colour is from the ground's where the figure is, in 8-bit steps of the channel where it is furthest.
const FIGURE: f64 = 40.0;

/// Mean differences of the mean colours of two figures, in 8-bit steps.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Colours {
    /// Of one character in two poses.
    pub one: f64,
    /// Of two characters in one pose.
    pub two: f64,
}

impl Colours {
    /// Of made characters in the poses at these places.
    pub fn of_made(gan: &Psgan, poses: &Dataset, places: &[usize]) -> Result<Colours> {
        let seeds: Vec<u32> = (0..CHARACTERS).collect();
        let colours = figures(&gan.characters(&gan.latents(&seeds)?, &poses.poses(places)?)?)?;
        // Which pose, and which character.
        Ok(Colours::of(&colours, |i| [i / seeds.len(), i % seeds.len()]))
    }

    /// Of drawn pictures, of which no two have the same pose: of two characters in any poses.
    pub fn of_drawn(pictures: &Dataset) -> Result<Colours> {
        let people =
            (0..pictures.len()).map(|i| Ok(person(&pictures.key(i)?).to_string())).collect::<Result<Vec<_>>>()?;
        let first = |i: usize| people.iter().position(|other| *other == people[i]).unwrap_or(i);
        Ok(Colours::of(&figures(&pictures.images(pictures.len())?)?, |i| [0, first(i)]))
    }

    /// Whether a character is more like itself than like others.
    pub fn itself(self) -> bool {
        self.one < self.two
    }

    /// The means over all pairs: of one character in any two poses, and of two characters in one.
    fn of(colours: &[[f64; 3]], which: impl Fn(usize) -> [usize; 2]) -> Colours {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        for i in 0..colours.len() {
            for j in 0..i {
                let ([pose, character], [other_pose, other]) = (which(i), which(j));
                let apart = (0..3).map(|c| (colours[i][c] - colours[j][c]).abs()).sum::<f64>() / 3.0;
                if character == other {
                    one.push(apart);
                } else if pose == other_pose {
                    two.push(apart);
                }
            }
        }
        let mean = |of: Vec<f64>| of.iter().sum::<f64>() / of.len().max(1) as f64;
        Colours { one: mean(one), two: mean(two) }
    }
}

impl std::fmt::Display for Colours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} apart from pose to pose of one character, {:.1} from character to character",
            self.one, self.two
        )
    }
}

/// The mean colour of the figure in each picture.
fn figures(pictures: &Images) -> Result<Vec<[f64; 3]>> {
    Ok(pictures.to_rgb()?.iter().map(figure).collect())
}

/// The mean colour of what is not ground, whose colour is that of the picture's edge.
fn figure(picture: &RgbImage) -> [f64; 3] {
    let (right, bottom) = (picture.width() - 1, picture.height() - 1);
    let edge = picture.enumerate_pixels().filter(|(x, y, _)| *x == 0 || *y == 0 || *x == right || *y == bottom);
    let ground = mean(edge.map(|(_, _, pixel)| pixel.0.map(f64::from)));
    let colours = picture.pixels().map(|pixel| pixel.0.map(f64::from));
    mean(colours.filter(|colour| (0..3).any(|c| (colour[c] - ground[c]).abs() > FIGURE)))
}

fn mean(colours: impl Iterator<Item = [f64; 3]>) -> [f64; 3] {
    let (sum, count) =
        colours.fold(([0.0; 3], 0usize), |(sum, count), colour| ([0, 1, 2].map(|c| sum[c] + colour[c]), count + 1));
    sum.map(|sum| sum / count.max(1) as f64)
}
