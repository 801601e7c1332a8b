//! Which file of a crawl shows what.

use std::collections::BTreeSet;

use super::truth::Oddity;
use crate::rng::{Seed, Stream};

/// What a file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// A pair, by its number.
    Pair(usize),
    Character,
    Clothing,
    TwoCharacters,
    Landscape,
    Page,
    /// The picture of another file, altered.
    Copy(usize),
}

impl Show {
    /// The file whose picture is repeated.
    pub fn original(self) -> Option<usize> {
        match self {
            Show::Copy(of) => Some(of),
            _ => None,
        }
    }
}

/// How a file is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
}

impl Format {
    /// Endings that files of this format have on the web.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Format::Jpeg => &["jpg", "jpg", "jpg", "jpeg", "JPG"],
            Format::Png => &["png", "png", "PNG"],
            Format::WebP => &["webp"],
        }
    }
}

/// One file before it is made.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: String,
    pub show: Show,
    pub oddity: Option<Oddity>,
    pub format: Format,
    /// Everything else about it is drawn from this.
    pub seed: Seed,
}

/// Shares of the files.
const COPIES: f64 = 0.16;
const BROKEN: f64 = 0.03;
const ODD: f64 = 0.04;
/// Of what is neither: pair, character, clothing, two characters, landscape, page.
const SHOWS: [f64; 6] = [0.66, 0.11, 0.09, 0.05, 0.05, 0.04];

/// The first few of these are in every crawl that is large enough.
const ODDITIES: [Oddity; 3] = [Oddity::Renamed, Oddity::Alpha, Oddity::Grey];
const FAULTS: [Oddity; 3] = [Oddity::Truncated, Oddity::Empty, Oddity::Text];

/// All files of a crawl. Originals stand anywhere before or behind their copies.
pub(super) fn plan(files: usize, seed: Seed) -> Vec<Entry> {
    let mut s = seed.stream("crawl/plan");
    let part = |share: f64| (share * files as f64).round() as usize;
    let (copies, broken) = (part(COPIES), part(BROKEN));
    let first = files - copies - broken;
    let order = s.permutation(files);
    let mut shows = vec![(Show::Page, None); files];
    // Every kind has its share exactly, up to one file.
    let total: f64 = SHOWS.iter().sum();
    let mut end = 0.0;
    let mut begin = 0;
    for (kind, share) in SHOWS.iter().enumerate() {
        end += share / total;
        let next = if kind + 1 == SHOWS.len() { first } else { (end * first as f64).round() as usize };
        for (number, i) in (begin..next).enumerate() {
            let show =
                [Show::Pair(number), Show::Character, Show::Clothing, Show::TwoCharacters, Show::Landscape, Show::Page]
                    [kind];
            shows[order[i]] = (show, None);
        }
        begin = next;
    }
    let pairs: Vec<usize> = order[..first].iter().copied().filter(|&i| matches!(shows[i].0, Show::Pair(_))).collect();
    for k in 0..copies {
        // Mostly pairs are repeated.
        let of = if s.chance(0.85) && !pairs.is_empty() { &pairs } else { &order[..first] };
        shows[order[first + k]] = (Show::Copy(of[s.below(of.len())]), None);
    }
    for k in 0..broken {
        shows[order[first + copies + k]].1 = Some(FAULTS[k % FAULTS.len()]);
    }
    oddities(&mut shows, &order[..first], part(ODD), &mut s);
    shows.into_iter().enumerate().map(|(i, (show, oddity))| entry(i, show, oddity, seed)).collect()
}

/// Some pictures are stored in unusual ways. Those that have copies are not: a copy in colours would not repeat a grey
/// one.
fn oddities(shows: &mut [(Show, Option<Oddity>)], first: &[usize], count: usize, s: &mut Stream) {
    let copied: BTreeSet<usize> = shows.iter().filter_map(|(show, _)| show.original()).collect();
    let alone: Vec<usize> = first.iter().copied().filter(|i| !copied.contains(i)).collect();
    let order = s.permutation(alone.len());
    for (k, i) in order.into_iter().take(count).enumerate() {
        shows[alone[i]].1 = Some(ODDITIES[k % ODDITIES.len()]);
    }
}

fn entry(i: usize, show: Show, oddity: Option<Oddity>, seed: Seed) -> Entry {
    let own = seed.child(&format!("crawl/file/{i}"));
    let mut s = own.stream("crawl/name");
    let mut format = [Format::Jpeg, Format::Png, Format::WebP][s.weighted(&[0.70, 0.25, 0.05])];
    if oddity == Some(Oddity::Alpha) {
        format = Format::Png;
    }
    if matches!(oddity, Some(Oddity::Truncated | Oddity::Renamed | Oddity::Grey)) && format == Format::WebP {
        format = Format::Jpeg;
    }
    let named = match (oddity, format) {
        (Some(Oddity::Renamed), Format::Jpeg) => Format::Png,
        (Some(Oddity::Renamed), _) => Format::Jpeg,
        _ => format,
    };
    let ending = named.endings()[s.below(named.endings().len())];
    let number = i + 1;
    let stem = match s.weighted(&[0.34, 0.14, 0.12, 0.12, 0.10, 0.10, 0.08]) {
        0 => format!("{number:06}"),
        1 => format!("cosplay costume ({number})"),
        2 => format!("コスプレ衣装_{number}"),
        3 => format!("img-{number:05}_b"),
        4 => format!("なりきり セット {number}"),
        5 => format!("shop page 2/item {number}"),
        _ => format!("お店/新作・{number}"),
    };
    Entry { name: format!("{stem}.{ending}"), show, oddity, format, seed: own }
}
