//! How well a model edits: by what a tagger reads off its pictures, and against pictures that were drawn with the other label
//! (specs/faces.md C.5).

use super::{Editing, check_data};
use crate::data::avatar::faces::{FaceEdit, Faces};
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::data::tags::{Labels, TagSet};
use crate::metrics::labels::edits::{Edit, EditAccuracy};
use crate::metrics::nets::tagger::Tagger;
use crate::metrics::pictures::psnr::psnr_each;
use crate::metrics::score::mean_and_deviation;
use crate::models::model::Model;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::Table;
use crate::{Error, Result};

/// Pictures that are edited at once: all edits of so many are in memory.
const AT_ONCE: usize = 16;
/// Share of the edits that come out below which a model does not edit.
const FEW: f64 = 0.2;
/// Mean difference of edited and unchanged pictures, of 255, below which an edit is none.
const NOTHING: f64 = 2.0;

/// Which edits each picture is put through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Each label the other way round in turn, as the script of STGAN's authors has it; a colour of hair or eyes that goes on
    /// takes the one before off, and is never switched off, since no other would be there in its place.
    Flips,
    /// Each tag set that the picture does not show: figure 4 of ANIMEGAN.
    Sets,
}

impl Protocol {
    /// The edits of a picture that shows `shown`: the tag, whether it goes on, and all labels that are asked for.
    fn edits(self, shown: &Labels) -> Result<Vec<(String, bool, Labels)>> {
        let tags = shown.tags();
        let mut edits = Vec::new();
        for (id, tag) in tags.tags().iter().enumerate().filter(|(_, tag)| !tag.continuous) {
            let on = shown.values[id] < 0.5;
            let kept = self == Protocol::Sets || tags.group_of(id).is_some_and(|group| group.members.len() > 1);
            if on || !kept {
                edits.push((tag.name.clone(), on, shown.clone().flipped(&tag.name)?));
            }
        }
        Ok(edits)
    }
}

/// What became of edits.
#[derive(Clone, Debug, PartialEq)]
pub struct EditReport {
    /// How often they came out, and how often something else changed, of all that the tagger reads, label by label.
    pub accuracy: EditAccuracy,
    /// The same of the model's labels alone: what it was told to keep. The tagger reads more, such as the length of the hair,
    /// and is itself not sure of all of it where a colour changes.
    pub own: EditAccuracy,
    /// Mean absolute difference of edited pictures and what the model makes of them unchanged, 0 to 255.
    pub change: f64,
    /// Mean absolute difference of what the model makes of pictures unchanged and the pictures, 0 to 255.
    pub error: f64,
    /// What is wrong and what to do, where the model has learnt to give pictures back as they are.
    pub advice: Option<String>,
}

impl Show for EditReport {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(EditReport);

impl EditReport {
    /// The table of [`EditAccuracy`], with the sizes of the changes and the advice below it.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        let sizes = format!(
            "mean absolute difference, 0 to 255: {:.1} of edited from unchanged pictures, {:.1} of those from the real ones",
            self.change, self.error
        );
        let own = format!("of the model's own labels alone: {}", self.own.disturbing());
        let table = self.accuracy.table()?.note(own).note(sizes);
        Ok(match &self.advice {
            None => table,
            Some(advice) => table.note(advice.clone()),
        })
    }
}

/// What to do about a model whose edits do not come out; `remedy` says it of one that gives pictures back.
fn advice(remedy: &str, success: f64, change: f64) -> Option<String> {
    if success >= FEW {
        return None;
    }
    let percent = 100.0 * success;
    if change >= NOTHING {
        return Some(format!(
            "{percent:.0} % of the edits come out: pictures change, but not into what is asked for. Train longer, or raise \
             the weight of the attribute loss."
        ));
    }
    Some(format!(
        "No edit: {percent:.0} % come out, and pictures change by {change:.1} of 255. The model gives pictures back as they \
         are. {remedy}, or tell labels more strongly (`strength`); with few pictures train longer."
    ))
}

impl<G: Editing> Model<G> {
    /// Edits every picture in every way of `protocol`, and reads the results by the built-in tagger: an edit comes out when
    /// the tag is then read with p > 0.5 as it was asked for, and everything else that is read otherwise than before was
    /// disturbed. Labels that change are told with this strength, the model's own without one.
    ///
    /// # Errors
    /// When the pictures have other labels than the model, the tagger does not know these, or nothing can be edited.
    pub fn edit_report(
        &self,
        faces: &Dataset,
        protocol: Protocol,
        strength: impl Into<Option<f64>>,
    ) -> Result<EditReport> {
        check_data::<G>(self.config(), faces)?;
        let (tagger, strength) = (Tagger::builtin_on(self.device())?, strength.into());
        check_known(&tagger, G::tags(self.config()))?;
        let (mut edits, mut changes, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..faces.len()).step_by(AT_ONCE) {
            let places: Vec<usize> = (start..faces.len().min(start + AT_ONCE)).collect();
            let chosen = faces.subset(&places)?;
            let shown = (0..chosen.len()).map(|i| chosen.labels(i)).collect::<Result<Vec<_>>>()?;
            let pictures = chosen.images(chosen.len())?.without_captions();
            let kept = self.reconstruct(&pictures, &shown)?;
            errors.extend(differences(&kept, &pictures)?);
            let before = tagger.labels(&pictures.tensor)?;
            let mut asked = Vec::new();
            for (i, shown) in shown.iter().enumerate() {
                asked.extend(protocol.edits(shown)?.into_iter().map(|edit| (i, edit)));
            }
            if asked.is_empty() {
                continue;
            }
            let of: Vec<u32> = asked.iter().map(|(i, _)| *i as u32).collect();
            let from: Vec<Labels> = asked.iter().map(|(i, _)| shown[*i].clone()).collect();
            let to: Vec<Labels> = asked.iter().map(|(_, (.., to))| to.clone()).collect();
            let made = self.edit(&repeated(&pictures, &of)?, &from, &to, strength)?;
            changes.extend(differences(&made, &repeated(&kept, &of)?)?);
            let after = tagger.labels(&made.tensor)?;
            let edit = |((i, (tag, on, _)), after): ((usize, (String, bool, Labels)), Labels)| Edit {
                tag,
                on,
                before: before[i].clone(),
                after,
            };
            edits.extend(asked.into_iter().zip(after).map(edit));
        }
        let accuracy = EditAccuracy::of(&edits)?;
        let own = edits.into_iter().map(|edit| edit.of_tags(G::tags(self.config()))).collect::<Result<Vec<_>>>()?;
        let own = EditAccuracy::of(&own)?;
        let [change, error] = [changes, errors].map(|each| mean_and_deviation(&each).0);
        let advice = advice(&G::remedy(self.config()), accuracy.accuracy().value, change);
        Ok(EditReport { accuracy, own, change, error, advice })
    }

    /// Edits drawn faces at these places one label at a time, and compares the results with the same faces drawn with that
    /// label ([`Faces::pairs_of`]): a truth that no data set of found pictures has.
    ///
    /// # Errors
    /// When the model has labels that are not drawn, another size, or no face can be edited.
    pub fn edit_truth(&self, faces: &Faces, places: &[usize], strength: impl Into<Option<f64>>) -> Result<EditTruth> {
        let (tagger, strength, tags) = (Tagger::builtin_on(self.device())?, strength.into(), G::tags(self.config()));
        check_known(&tagger, tags)?;
        let mut rows = Vec::new();
        for tag in tags.names() {
            let pairs = faces.pairs_of(tag, places)?;
            if pairs.is_empty() {
                continue;
            }
            let made = self.edited(&pairs, strength)?;
            let id = tagger.tags().id(tag)?;
            let seen = tagger.labels(&made.tensor)?;
            let right = seen.iter().zip(&pairs).filter(|(seen, pair)| (seen.values[id] > 0.5) == pair.on).count();
            let of = |pick: fn(&FaceEdit) -> &image::RgbImage| {
                Images::from_rgb(&pairs.iter().map(|pair| pick(pair).clone()).collect::<Vec<_>>())
            };
            let (before, after) = (of(|pair| &pair.before)?, of(|pair| &pair.after)?);
            let mean = |each: Vec<f64>| mean_and_deviation(&each).0;
            let psnr = |images: &Images| Ok::<f64, Error>(mean(psnr_each(&images.tensor, &after.tensor)?));
            let there = |images: &Images| -> Result<f64> {
                let images = images.to_rgb()?;
                Ok(mean(images.iter().zip(&pairs).map(|(image, pair)| psnr_where_it_changes(image, pair)).collect()))
            };
            rows.push(TruthRow {
                tag: tag.to_string(),
                edits: pairs.len(),
                right,
                psnr: psnr(&made)?,
                psnr_unedited: psnr(&before)?,
                there: there(&made)?,
                there_unedited: there(&before)?,
            });
        }
        if rows.is_empty() {
            return Err(Error::invalid(
                "edits of drawn faces",
                format!("{} faces", places.len()),
                "faces that can be edited",
                "",
            ));
        }
        Ok(EditTruth { rows })
    }

    /// What the model makes of drawn faces whose label is to change.
    fn edited(&self, pairs: &[FaceEdit], strength: Option<f64>) -> Result<Images> {
        let tags = G::tags(self.config());
        let of = |pick: fn(&FaceEdit) -> &Labels| {
            pairs.iter().map(|pair| pick(pair).of_tags(tags)).collect::<Result<Vec<_>>>()
        };
        let pictures = Images::from_rgb(&pairs.iter().map(|pair| pair.before.clone()).collect::<Vec<_>>())?;
        self.edit(&pictures, &of(|pair| &pair.from)?, &of(|pair| &pair.to)?, strength)
    }
}

/// Edits of drawn faces beside the same faces drawn as they were to become.
#[derive(Clone, Debug, PartialEq)]
pub struct EditTruth {
    /// A row for each label, in the model's order.
    pub rows: Vec<TruthRow>,
}

/// What became of the edits of one label. All PSNRs are means in dB against the drawn truth.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthRow {
    /// The label.
    pub tag: String,
    /// How many faces were edited.
    pub edits: usize,
    /// In how many the tagger reads the label as it was asked for, p > 0.5.
    pub right: usize,
    /// Of the edited pictures.
    pub psnr: f64,
    /// Of the pictures as they were: what it takes to do nothing.
    pub psnr_unedited: f64,
    /// Of the edited pictures, over the pixels in which the two drawings differ.
    pub there: f64,
    /// Of the pictures as they were, over the same pixels.
    pub there_unedited: f64,
}

impl EditTruth {
    /// Mean over the labels of the PSNR, in dB.
    pub fn psnr(&self) -> f64 {
        self.mean(|row| row.psnr)
    }

    /// Mean over the labels of the share of edits that are read as asked for, in [0, 1].
    pub fn accuracy(&self) -> f64 {
        self.mean(|row| row.right as f64 / row.edits as f64)
    }

    fn mean(&self, of: impl Fn(&TruthRow) -> f64) -> f64 {
        mean_and_deviation(&self.rows.iter().map(of).collect::<Vec<_>>()).0
    }

    /// One row per label, the model's PSNR beside that of doing nothing.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        let rows = || self.rows.iter();
        let share = |row: &TruthRow| row.right as f64 / row.edits as f64;
        let columns = [
            ("accuracy", rows().map(share).collect::<Vec<f64>>()),
            ("PSNR", rows().map(|row| row.psnr).collect()),
            ("PSNR unedited", rows().map(|row| row.psnr_unedited).collect()),
            ("PSNR where it changes", rows().map(|row| row.there).collect()),
            ("unedited there", rows().map(|row| row.there_unedited).collect()),
        ];
        let mut table = Table::builder()
            .text("tag", rows().map(|row| row.tag.clone()))
            .integers("edits", rows().map(|row| row.edits));
        for (name, values) in columns {
            table = table.numbers(name, values).digits(name, 2);
        }
        table
            .caption("Edits against the face drawn with that label")
            .note("accuracy: the tagger reads the label as asked for, p > 0.5; PSNR in dB against the drawn face")
            .note("unedited: the PSNR of the picture as it was; where it changes: over the pixels that differ between the drawings")
            .build()
    }
}

impl Show for EditTruth {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(EditTruth);

/// PSNR in dB over the pixels in which the two drawings differ; of a perfect picture 99, which a mean can bear.
fn psnr_where_it_changes(picture: &image::RgbImage, pair: &FaceEdit) -> f64 {
    let places = || pair.before.enumerate_pixels().filter(|(x, y, pixel)| *pixel != pair.after.get_pixel(*x, *y));
    let squared = |a: u8, b: u8| (f64::from(a) - f64::from(b)).powi(2);
    let error: f64 = places()
        .flat_map(|(x, y, _)| picture.get_pixel(x, y).0.into_iter().zip(pair.after.get_pixel(x, y).0))
        .map(|(made, wanted)| squared(made, wanted))
        .sum();
    let mean = error / (3 * places().count().max(1)) as f64;
    (10.0 * (255.0f64.powi(2) / mean).log10()).min(99.0)
}

/// That the tagger knows all labels of the model.
fn check_known(tagger: &Tagger, tags: &TagSet) -> Result<()> {
    match tags.tags().iter().find(|tag| tagger.tags().find(&tag.name).is_none()) {
        None => Ok(()),
        Some(tag) => {
            let hint = "Edits are read by the built-in tagger, which knows the 34 labels of make.girls.moe.";
            Err(Error::invalid("label of the model", format!("\"{}\"", tag.name), "one that the tagger reads", hint))
        }
    }
}

/// Pictures at these places, which may be named more than once.
fn repeated(images: &Images, places: &[u32]) -> Result<Images> {
    let places = candle_core::Tensor::new(places, images.tensor.device())?;
    Images::new(images.tensor.index_select(&places, 0)?)
}

/// Mean absolute difference of each pair of pictures, 0 to 255.
fn differences(first: &Images, second: &Images) -> Result<Vec<f64>> {
    let second = second.tensor.to_device(first.tensor.device())?;
    let each = ((&first.tensor - second)?.abs()? * 127.5)?.flatten_from(1)?.mean(1)?;
    Ok(each.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::avatar::Avatar;
    use crate::data::tags::tags;

    #[test]
    fn each_label_in_turn() {
        let shown = tags("blonde hair, smile, blue eyes").unwrap().of_tags(&TagSet::animegan()).unwrap();
        let names = |protocol: Protocol, on: bool| -> Vec<String> {
            let edits = protocol.edits(&shown).unwrap().into_iter().filter(|edit| edit.1 == on);
            edits.map(|(tag, ..)| tag).collect()
        };
        assert_eq!(names(Protocol::Flips, false), ["smile"]);
        assert!(names(Protocol::Sets, false).is_empty());
        let set = names(Protocol::Sets, true);
        assert_eq!((set.len(), &set), (12, &names(Protocol::Flips, true)));
        let purple = Protocol::Sets.edits(&shown).unwrap().into_iter().find(|edit| edit.0 == "purple hair").unwrap();
        assert_eq!(purple.2.on(), ["purple hair", "blue eyes", "smile"]);
    }

    #[test]
    fn a_model_that_does_nothing_is_told_what_to_do() {
        use crate::models::animegan::{Adversaries, Animegan, OfAnimegan};
        let remedy = <Adversaries<OfAnimegan> as Editing>::remedy(&Animegan::paper());
        assert_eq!(advice(&remedy, 0.5, 0.1), None);
        let text = advice(&remedy, 0.05, 0.4).unwrap();
        assert!(text.contains("No edit") && text.contains("`objective.reconstruction` from 100 to 10"), "{text}");
        assert!(advice(&remedy, 0.05, 9.0).unwrap().contains("Train longer"));
    }

    #[test]
    fn only_where_the_drawings_differ() {
        let pair = Avatar::faces().size(64).edited(3, "glasses", true).unwrap();
        let before = psnr_where_it_changes(&pair.before, &pair);
        assert_eq!(psnr_where_it_changes(&pair.after, &pair), 99.0);
        let mut elsewhere = pair.after.clone();
        let (x, y, _) = pair.before.enumerate_pixels().find(|(x, y, p)| *p == pair.after.get_pixel(*x, *y)).unwrap();
        elsewhere.put_pixel(x, y, image::Rgb([1, 2, 3]));
        assert_eq!(psnr_where_it_changes(&elsewhere, &pair), 99.0);
        assert!(before < 25.0, "{before}");
    }
}
