//! How the values of the chapter on data look in a cell.

use super::bundle::{Bundle, Show, displayable, escape};
use super::table::Table;
use crate::Result;
use crate::data::agreement::Agreement;
use crate::data::batch::{Batch, Images};
use crate::data::dataset::{Dataset, TagTable};
use crate::data::loader::Loader;
use crate::data::manifest::Manifest;
use crate::data::prepare::art::ArtReport;
use crate::data::prepare::clothing::StepReport;
use crate::data::prepare::clothing::classify::RoundReport;
use crate::data::prepare::clothing::dedupe::DedupeReport;
use crate::data::prepare::faces::CropReport;
use crate::data::prepare::review::{Review, ReviewReport, Sheet};
use crate::data::report::Report;
use crate::data::tags::{Labels, TagSet};

/// Images per row.
const NROW: usize = 8;

/// Images of a batch that are shown.
const SHOWN: usize = 4 * NROW;

/// Problems of a report that are listed; the counts are always complete.
const LISTED: usize = 200;

/// Pictures of a contact sheet that a cell shows, and how many in a row.
const SHEET: (usize, usize) = (48, 8);

displayable!(Images, Batch, Dataset, TagTable, Report, Labels, TagSet, Manifest, Loader);
displayable!(ArtReport, CropReport, Review, ReviewReport, Sheet);
displayable!(StepReport, DedupeReport, RoundReport, Agreement);

/// What was done in one line, then the report.
fn with_report(text: &str, report: &Report) -> Result<Bundle> {
    let head = text.lines().next().unwrap_or_default();
    Ok(Bundle::column(&[Bundle::plain(head), report.bundle()?]))
}

impl Show for ArtReport {
    fn bundle(&self) -> Result<Bundle> {
        with_report(&self.to_string(), &self.problems)
    }
}

impl Show for CropReport {
    fn bundle(&self) -> Result<Bundle> {
        with_report(&self.to_string(), &self.problems)
    }
}

impl Show for StepReport {
    fn bundle(&self) -> Result<Bundle> {
        with_report(&self.to_string(), &self.problems)
    }
}

impl Show for DedupeReport {
    fn bundle(&self) -> Result<Bundle> {
        with_report(&self.to_string(), &self.step.problems)
    }
}

impl Show for RoundReport {
    fn bundle(&self) -> Result<Bundle> {
        with_report(&self.to_string(), &self.problems)
    }
}

impl Agreement {
    /// Several of them, each under a name, as a table.
    ///
    /// # Errors
    /// None; polars is asked to make columns of one length.
    pub fn table<S: AsRef<str>>(rows: &[(S, Agreement)]) -> Result<Table> {
        let all = || rows.iter().map(|(_, agreement)| agreement);
        Table::builder()
            .text("what", rows.iter().map(|(name, _)| name.as_ref()))
            .numbers("precision (%)", all().map(|agreement| 100.0 * agreement.precision()))
            .digits("precision (%)", 1)
            .numbers("recall (%)", all().map(|agreement| 100.0 * agreement.recall()))
            .digits("recall (%)", 1)
            .numbers("F1 (%)", all().map(|agreement| 100.0 * agreement.f1()))
            .digits("F1 (%)", 1)
            .integers("told", all().map(|agreement| agreement.told))
            .integers("right", all().map(|agreement| agreement.right))
            .integers("true", all().map(|agreement| agreement.wanted))
            .build()
    }
}

impl Show for Agreement {
    fn bundle(&self) -> Result<Bundle> {
        Agreement::table(&[("all", *self)])?.bundle()
    }
}

impl Show for ReviewReport {
    fn bundle(&self) -> Result<Bundle> {
        with_report(&self.to_string(), &self.problems)
    }
}

impl Show for Review {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::plain(self.to_string()))
    }
}

impl Show for Sheet {
    fn bundle(&self) -> Result<Bundle> {
        let text = Bundle::plain(format!("{self:?}"));
        if self.entries().is_empty() {
            return Ok(text);
        }
        let (pictures, columns) = SHEET;
        let columns = columns.min(self.entries().len());
        Ok(Bundle::column(&[text, self.grid(columns, pictures)?.bundle()?, self.table()?.bundle()?]))
    }
}

impl Show for Images {
    fn bundle(&self) -> Result<Bundle> {
        if self.is_empty() {
            return Ok(Bundle::plain("no images"));
        }
        self.grid(NROW)?.bundle()
    }
}

impl Show for Batch {
    fn bundle(&self) -> Result<Bundle> {
        let labels = self.labels.as_ref().map_or(String::new(), |labels| format!(", labels {:?}", labels.dims()));
        let text = format!("batch of images {:?}{labels}", self.images.dims());
        Ok(Bundle::column(&[Bundle::plain(text), Images::new(self.images.clone())?.take(SHOWN)?.bundle()?]))
    }
}

impl Show for Dataset {
    fn bundle(&self) -> Result<Bundle> {
        let summary = Bundle::plain(format!("{self}"));
        if self.is_empty() {
            return Ok(summary);
        }
        Ok(Bundle::column(&[summary, self.show_batch(1)?.bundle()?]))
    }
}

impl TagTable {
    /// The counts as a table: tag, pictures, share in percent.
    ///
    /// # Errors
    /// When two tags share a name.
    pub fn table(&self) -> Result<Table> {
        let rows = || self.rows.iter();
        Table::builder()
            .text("tag", rows().map(|row| row.name.as_str()))
            .integers("pictures", rows().map(|row| row.count as u64))
            .numbers("share (%)", rows().map(|row| 100.0 * row.share))
            .digits("share (%)", 1)
            .build()
    }
}

impl Show for TagTable {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.caption(format!("{} pictures", self.pictures)).bundle()
    }
}

impl Report {
    /// How many files have each kind of problem, and what was done about it.
    ///
    /// # Errors
    /// None; polars is asked to make columns of one length.
    pub fn table(&self) -> Result<Table> {
        let counts = self.counts();
        Table::builder()
            .text("problem", counts.keys().map(|(kind, _)| kind.as_str()))
            .text("what was done", counts.keys().map(|(_, action)| action.words()))
            .integers("files", counts.values().map(|count| *count as u64))
            .caption(format!("{} pictures used, {} problems", self.used, self.problems.len()))
            .build()
    }
}

impl Show for Report {
    fn bundle(&self) -> Result<Bundle> {
        if self.is_clean() {
            return Ok(Bundle::plain(format!("{self}")));
        }
        let rows: Vec<[String; 4]> = self.rows().into_iter().take(LISTED).collect();
        let column = |i: usize| rows.iter().map(move |row| row[i].as_str());
        let files = Table::builder()
            .text("file", column(0))
            .text("problem", column(1))
            .text("particulars", column(2))
            .text("what was done", column(3));
        let files = match self.problems.len().saturating_sub(LISTED) {
            0 => files,
            more => files.note(format!("and {more} more")),
        };
        Ok(Bundle::column(&[self.table()?.bundle()?, files.build()?.bundle()?]))
    }
}

impl Show for Labels {
    fn bundle(&self) -> Result<Bundle> {
        let text = format!("{self}");
        Ok(Bundle::plain(if text.is_empty() { "no tag is on".into() } else { text }))
    }
}

impl Show for TagSet {
    fn bundle(&self) -> Result<Bundle> {
        let tags = || self.tags().iter().enumerate();
        let kind = |id: usize, continuous: bool| match self.group_of(id) {
            Some(group) => format!("one {}", group.name),
            None if continuous => "number".into(),
            None => "on or off".into(),
        };
        Table::builder()
            .integers("id", tags().map(|(id, _)| id as u64))
            .text("tag", tags().map(|(_, tag)| tag.name.as_str()))
            .text("kind", tags().map(|(id, tag)| kind(id, tag.continuous)))
            .numbers("chance (%)", tags().map(|(_, tag)| 100.0 * tag.chance.unwrap_or(f64::NAN)))
            .digits("chance (%)", 1)
            .build()?
            .bundle()
    }
}

impl Show for Manifest {
    fn bundle(&self) -> Result<Bundle> {
        let text = self.to_toml()?;
        let html = format!("<pre>{}</pre>", escape(&text));
        Ok(Bundle::plain(text).with_html(html))
    }
}

impl Show for Loader {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::plain(format!("{self:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::report::Action;
    use image::RgbImage;

    fn dataset() -> Dataset {
        let tags = TagSet::from_names(&["smile", "<hat>"]).unwrap();
        let pictures = vec![RgbImage::new(8, 8), RgbImage::from_pixel(8, 8, image::Rgb([9, 9, 9]))];
        let labels = ["smile", "<hat>"].map(|text| tags.parse(text).unwrap());
        Dataset::from_images("two <b>", &pictures, &labels).unwrap()
    }

    #[test]
    fn every_value_is_a_bundle_with_escaped_text() {
        let dataset = dataset();
        let images = dataset.images(2).unwrap();
        let labels = dataset.labels(0).unwrap();
        let mut report = Report { used: 1, ..Report::default() };
        report.problems.push(crate::data::report::Problem {
            kind: "empty file".into(),
            file: "<script>.png".into(),
            detail: String::new(),
            action: Action::LeftOut,
        });
        let table = dataset.tag_table();
        let values: [&dyn Show; 6] = [&images, &dataset, &table, &report, &labels, dataset.tags()];
        for value in values {
            let bundle = value.bundle().unwrap();
            let html = bundle.html.clone().unwrap_or_default();
            assert!(!html.contains("<hat>") && !html.contains("<script>") && !html.contains("<b>"), "{html}");
            assert!(!bundle.plain.is_empty() && bundle.size() < crate::show::bundle::LIMIT);
        }
        assert!(report.bundle().unwrap().html.unwrap().contains("&lt;script&gt;.png"));
        assert_eq!(dataset.tags().labels().bundle().unwrap().plain, "no tag is on");
        assert!(images.take(0).unwrap().bundle().is_ok() && dataset.take(0).bundle().is_ok());
    }
}
