//! Attribute precision by hand: sheets of pictures for people to look at, their answers read back, and how far the
//! people agree.

use std::path::Path;

use super::attributes::{AttributePrecision, Request};
use crate::data::batch::Images;
use crate::metrics::score::Score;
use crate::show::grid::Grid;
use crate::show::save;
use crate::show::table::Best;
use crate::{Error, Result};

/// Pictures per row of a sheet.
const NROW: usize = 5;
/// No form with an answer per picture is larger.
const MAX_BYTES: u64 = 1 << 26;
const HEADER: [&str; 3] = ["picture", "tag", "seen"];

/// Writes what a person needs to judge `images`, one picture per request in their order, into `folder`: a sheet per
/// tag (`01-blonde_hair.png`, the pictures numbered) and the form `judgements.csv` with the columns `picture`, `tag` and
/// an empty `seen`. Everybody who judges fills a copy of the form, named after them, with `yes` and `no`. Returns the
/// path of the form.
///
/// # Errors
/// When there are not as many pictures as requests, none, or a file cannot be written.
pub fn write_judgement_form(
    folder: impl AsRef<Path>,
    images: &Images,
    requests: &[Request],
) -> Result<std::path::PathBuf> {
    if images.len() != requests.len() || requests.is_empty() {
        let found = format!("{} pictures for {} requests", images.len(), requests.len());
        return Err(Error::invalid("judgement form", found, "one per request, at least one", ""));
    }
    let folder = folder.as_ref();
    let pictures = images.to_rgb()?;
    let mut tags: Vec<&str> = Vec::new();
    requests.iter().for_each(|request| {
        if !tags.contains(&request.tag.as_str()) {
            tags.push(&request.tag)
        }
    });
    for (number, tag) in tags.iter().enumerate() {
        let chosen: Vec<usize> = (0..requests.len()).filter(|&i| requests[i].tag == *tag).collect();
        let sheet: Vec<_> = chosen.iter().map(|i| pictures[*i].clone()).collect();
        let grid = Grid::from_rgb(&sheet)?.nrow(NROW).title(*tag).captions(chosen.iter().map(|i| i.to_string()));
        let plain: String = tag.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        grid.save(folder.join(format!("{:02}-{plain}.png", number + 1)))?;
    }
    let path = folder.join("judgements.csv");
    let mut form = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Error::io("write the form", &path, std::io::Error::other(e));
    form.write_record(HEADER).map_err(failed)?;
    for (i, request) in requests.iter().enumerate() {
        form.write_record([i.to_string().as_str(), &request.tag, ""]).map_err(failed)?;
    }
    let bytes = form.into_inner().map_err(|e| Error::io("write the form", &path, e.into_error()))?;
    save::write(&path, &bytes)?;
    Ok(path)
}

/// The answers of one or more people to the same form.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgements {
    tags: Vec<String>,
    /// One list per person, one answer per picture.
    answers: Vec<Vec<bool>>,
}

impl Judgements {
    /// Reads filled forms, one file per person, for the `requests` that they were written for.
    ///
    /// # Errors
    /// When there is no form, or one cannot be read, asks for something else, or has a row that is not answered with
    /// `yes` or `no` (also `y`, `n`, `1`, `0`); the message names file and line.
    pub fn read<P: AsRef<Path>>(forms: &[P], requests: &[Request]) -> Result<Judgements> {
        if forms.is_empty() {
            return Err(Error::invalid("judgements", "no form", "at least one", ""));
        }
        let answers = forms.iter().map(|form| read(form.as_ref(), requests)).collect::<Result<_>>()?;
        Ok(Judgements { tags: requests.iter().map(|request| request.tag.clone()).collect(), answers })
    }

    /// Precision per tag over the answers of all people.
    pub fn precision(&self) -> AttributePrecision {
        let of_one = |answers: &Vec<bool>| self.tags.iter().cloned().zip(answers.iter().copied()).collect::<Vec<_>>();
        let all = self.answers.iter().flat_map(of_one).collect();
        let people = self.answers.len();
        AttributePrecision::of_answers(all, format!("judged by hand, {people} people"))
    }

    /// How often two people give the same answer, in [0, 1], and Cohen's κ (J. Cohen 1960), which takes off what chance
    /// alone would agree on: 1 for full agreement, 0 for chance. With more than two people both are means over pairs.
    ///
    /// # Errors
    /// When only one person judged.
    pub fn agreement(&self) -> Result<[Score; 2]> {
        let people = self.answers.len();
        if people < 2 {
            let hint = "Let a second person fill a copy of the form.";
            return Err(Error::invalid("agreement of judgements", "one person", "at least two", hint));
        }
        let pairs: Vec<(f64, f64)> = (0..people)
            .flat_map(|a| (a + 1..people).map(move |b| (a, b)))
            .map(|(a, b)| agreement(&self.answers[a], &self.answers[b]))
            .collect();
        let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
        let score = |name: &str, value: f64| {
            let protocol = format!("mean over {} pairs of people", pairs.len());
            Score::new(name, value, self.tags.len(), protocol).better(Best::Highest)
        };
        Ok([score("agreement", mean(|pair| pair.0)), score("Cohen's κ", mean(|pair| pair.1))])
    }
}

/// Observed agreement and Cohen's κ of two people; κ is 1 when both give one and the same answer throughout.
fn agreement(first: &[bool], second: &[bool]) -> (f64, f64) {
    let n = first.len() as f64;
    let share = |answers: &[bool]| answers.iter().filter(|seen| **seen).count() as f64 / n;
    let observed = first.iter().zip(second).filter(|(a, b)| a == b).count() as f64 / n;
    let (a, b) = (share(first), share(second));
    let chance = a * b + (1.0 - a) * (1.0 - b);
    let kappa = if chance < 1.0 { (observed - chance) / (1.0 - chance) } else { 1.0 };
    (observed, kappa)
}

fn read(path: &Path, requests: &[Request]) -> Result<Vec<bool>> {
    let io = |source| Error::io("read the form", path, source);
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > MAX_BYTES {
        return Err(Error::file(path, format!("{length} bytes"), "a form of at most 64 MiB", ""));
    }
    let text = std::fs::read(path).map_err(io)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&text[..]);
    let header = reader.headers().map_err(|e| Error::file(path, e.to_string(), "a CSV table", ""))?;
    if header.iter().ne(HEADER) {
        let found = format!("the columns {:?}", header.iter().collect::<Vec<_>>());
        return Err(Error::file(
            path,
            found,
            format!("{HEADER:?}"),
            "Fill the form that was written, columns unchanged.",
        ));
    }
    let mut answers: Vec<Option<bool>> = vec![None; requests.len()];
    for record in reader.records() {
        let record = record.map_err(|e| Error::file(path, e.to_string(), "three columns in each line", ""))?;
        let line = record.position().map_or(0, csv::Position::line);
        let refuse = |found: String, expected: String| Error::file(path, format!("line {line}: {found}"), expected, "");
        let picture = record[0].parse::<usize>().ok().filter(|picture| *picture < requests.len());
        let Some(picture) = picture else {
            return Err(refuse(format!("picture {:?}", &record[0]), format!("0 to {}", requests.len() - 1)));
        };
        if record[1] != requests[picture].tag {
            return Err(refuse(format!("the tag {:?}", &record[1]), format!("{:?}", requests[picture].tag)));
        }
        let seen = match record[2].to_lowercase().as_str() {
            "yes" | "y" | "1" => true,
            "no" | "n" | "0" => false,
            other => return Err(refuse(format!("the answer {other:?}"), "yes or no".to_string())),
        };
        if answers[picture].replace(seen).is_some() {
            return Err(refuse(format!("picture {picture} again"), "each picture once".to_string()));
        }
    }
    let missing = || answers.iter().position(Option::is_none).unwrap_or(0);
    let complete: Option<Vec<bool>> = answers.iter().copied().collect();
    complete.ok_or_else(|| {
        let expected = format!("all pictures from 0 to {}", requests.len() - 1);
        Error::file(path, format!("no answer for picture {}", missing()), expected, "Add its line again.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tags::{TagSampler, TagSet};
    use crate::metrics::labels::attributes::requests;
    use crate::rng::Seed;
    use candle_core::{DType, Device, Tensor};

    fn asked() -> Vec<Request> {
        let tags = TagSet::from_names(&["smile", "red \"hat\""]).unwrap();
        requests(&tags, TagSampler::Uniform, 3, Seed(0)).unwrap()
    }

    #[test]
    fn a_form_is_written_filled_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let images = Images::new(Tensor::zeros((6, 3, 8, 8), DType::F32, &Device::Cpu).unwrap()).unwrap();
        let form = write_judgement_form(folder.path(), &images, &asked()).unwrap();
        assert!(folder.path().join("01-smile.png").is_file() && folder.path().join("02-red__hat_.png").is_file());
        let empty = std::fs::read_to_string(&form).unwrap();
        let error = Judgements::read(&[&form], &asked()).unwrap_err().to_string();
        assert!(error.contains("judgements.csv") && error.contains("line 2") && error.contains("yes or no"), "{error}");
        let fill = |name: &str, answers: [&str; 6]| {
            let mut lines = empty.lines();
            let mut text = format!("{}\n", lines.next().unwrap());
            lines.zip(answers).for_each(|(line, answer)| text.push_str(&format!("{line}{answer}\n")));
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let one = fill("anna.csv", ["yes", "Yes", "no", "1", "0", "n"]);
        let two = fill("ben.csv", ["yes", "yes", "yes", "y", "no", "yes"]);
        let both = Judgements::read(&[&one, &two], &asked()).unwrap();
        assert_eq!(both.precision().of_tag("smile"), Some(5.0 / 6.0));
        let [agreement, kappa] = both.agreement().unwrap();
        // 4 of 6 alike; 3/6 and 5/6 seen: chance 3/6·5/6 + 3/6·1/6 = 1/2.
        assert!((agreement.value - 4.0 / 6.0).abs() < 1e-12 && (kappa.value - 1.0 / 3.0).abs() < 1e-12);
        assert!(Judgements::read(&[&one], &asked()).unwrap().agreement().is_err());
    }

    #[test]
    fn forms_that_do_not_fit_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("form.csv");
        let error = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Judgements::read(&[&path], &asked()[..2]).unwrap_err().to_string()
        };
        assert!(error("picture,seen\n").contains("columns"));
        assert!(error("picture,tag,seen\n7,smile,yes\n").contains("line 2: picture \"7\""));
        assert!(error("picture,tag,seen\n0,hat,yes\n").contains("the tag \"hat\""));
        assert!(error("picture,tag,seen\n0,smile,yes\n0,smile,no\n").contains("line 3: picture 0 again"));
        assert!(error("picture,tag,seen\n0,smile,yes\n").contains("no answer for picture 1"));
        assert!(
            Judgements::read(&[folder.path().join("none.csv")], &asked()).unwrap_err().to_string().contains("none.csv")
        );
    }

    #[test]
    fn kappa_at_its_ends() {
        assert_eq!(agreement(&[true, false], &[true, false]), (1.0, 1.0));
        assert_eq!(agreement(&[true, true], &[true, true]), (1.0, 1.0));
        assert_eq!(agreement(&[true, false], &[false, true]), (0.0, -1.0));
    }
}
