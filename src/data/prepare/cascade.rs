//! Reader of boosted LBP cascades in OpenCV's XML format (`opencv_traincascade`), such as
//! nagadomi's `lbpcascade_animeface.xml`.
//!
//! A cascade is a list of stages, a stage a list of stumps, a stump one local binary pattern (LBP) of the window
//! and a set of pattern codes. Only data are read: a hostile file gives an error that names the element at fault.

use std::path::Path;
use std::sync::Arc;

use roxmltree::{Document, Node, ParsingOptions};

use crate::{Error, Result};

/// Files beyond this are no cascade: the largest published ones have about 1 MB.
const MAX_BYTES: u64 = 64 << 20;
const MAX_NODES: u32 = 2_000_000;
const MAX_WINDOW: u32 = 512;
/// OpenCV compares with the threshold less this, in f32.
const THRESHOLD_EPS: f32 = 1e-5;

/// A trained face detector: LBP features and boosted stages. Cheap to clone.
///
/// Find faces with [`Cascade::detect`].
#[derive(Clone)]
pub struct Cascade {
    pub(super) inner: Arc<Model>,
}

#[derive(Debug)]
pub(super) struct Model {
    /// Width and height of the window that the cascade was trained on.
    pub window: (u32, u32),
    pub stages: Vec<Stage>,
    pub features: Vec<Feature>,
}

#[derive(Debug)]
pub(super) struct Stage {
    pub threshold: f64,
    pub stumps: Vec<Stump>,
}

/// `leaves[0]` for codes in `subset`, `leaves[1]` for the others.
#[derive(Debug)]
pub(super) struct Stump {
    pub feature: usize,
    pub subset: [u32; 8],
    pub leaves: [f32; 2],
}

/// 3×3 cells of `w`×`h` pixels whose top left corner is at (`x`, `y`) of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
}

impl std::fmt::Debug for Cascade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (width, height) = self.window();
        let (stages, stumps, features) = (self.inner.stages.len(), self.stumps(), self.inner.features.len());
        write!(f, "Cascade({width}x{height} window, {stages} stages, {stumps} stumps, {features} LBP features)")
    }
}

impl Cascade {
    /// Reads a cascade file.
    ///
    /// # Errors
    /// When the file cannot be read, is not XML, or is not a boosted cascade of LBP stumps (Haar and HOG
    /// cascades are other detectors and are refused). The message names the element and its line.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::metadata(path).map_err(|e| Error::io("read the cascade", path, e))?.len();
        if bytes > MAX_BYTES {
            return Err(not_a_cascade(path, format!("{bytes} bytes"), format!("at most {MAX_BYTES} bytes")));
        }
        let text = std::fs::read(path).map_err(|e| Error::io("read the cascade", path, e))?;
        let text = String::from_utf8(text)
            .map_err(|e| not_a_cascade(path, format!("a byte that is not UTF-8 text: {e}"), "an XML file"))?;
        Self::from_xml(path, &text)
    }

    /// Reads a cascade from XML text; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Cascade::open`].
    pub fn from_xml(name: impl AsRef<Path>, text: &str) -> Result<Self> {
        let path = name.as_ref();
        let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options)
            .map_err(|e| not_a_cascade(path, format!("XML that cannot be read ({e})"), "a well-formed XML file"))?;
        let root = Element { path, node: document.root_element(), name: "/".into() };
        if root.node.tag_name().name() != "opencv_storage" {
            return Err(root.wrong(format!("<{}>", root.node.tag_name().name()), "<opencv_storage>"));
        }
        let cascade = root
            .children()
            .into_iter()
            .next()
            .ok_or_else(|| root.wrong("no element inside <opencv_storage>", "<cascade>"))?;
        Ok(Self { inner: Arc::new(cascade.model()?) })
    }

    /// Width and height in pixels of the window that the cascade was trained on: the smallest face it can find.
    pub fn window(&self) -> (u32, u32) {
        self.inner.window
    }

    /// Number of stages.
    pub fn stages(&self) -> usize {
        self.inner.stages.len()
    }

    /// Number of stumps over all stages.
    pub fn stumps(&self) -> usize {
        self.inner.stages.iter().map(|stage| stage.stumps.len()).sum()
    }

    /// Number of LBP features that the stumps choose from.
    pub fn features(&self) -> usize {
        self.inner.features.len()
    }
}

fn not_a_cascade(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> Error {
    Error::file(
        path,
        found,
        expected,
        "Use an LBP cascade of OpenCV's traincascade format, such as lbpcascade_animeface.xml.",
    )
}

/// An XML element with the names of the elements around it, for messages.
struct Element<'a, 'input> {
    path: &'a Path,
    node: Node<'a, 'input>,
    name: String,
}

impl<'a, 'input> Element<'a, 'input> {
    fn wrong(&self, found: impl Into<String>, expected: impl Into<String>) -> Error {
        let line = self.node.document().text_pos_at(self.node.range().start).row;
        not_a_cascade(self.path, format!("{} in {} (line {line})", found.into(), self.name), expected)
    }

    fn at(&self, node: Node<'a, 'input>, step: &str) -> Self {
        let slash = if self.name.ends_with('/') { "" } else { "/" };
        Element { path: self.path, node, name: format!("{}{slash}{step}", self.name) }
    }

    /// The child elements; `_[3]` names the fourth element called `_`.
    fn children(&self) -> Vec<Self> {
        let elements = self.node.children().filter(Node::is_element).enumerate();
        elements
            .map(|(i, node)| {
                let tag = node.tag_name().name();
                let step = if tag == "_" { format!("_[{i}]") } else { tag.to_owned() };
                self.at(node, &step)
            })
            .collect()
    }

    fn child(&self, tag: &str) -> Result<Self> {
        let found = self.node.children().find(|node| node.has_tag_name(tag));
        found.map(|node| self.at(node, tag)).ok_or_else(|| self.wrong(format!("no <{tag}>"), format!("<{tag}>")))
    }

    fn words(&self) -> Vec<&'a str> {
        self.node.text().unwrap_or("").split_ascii_whitespace().collect()
    }

    fn numbers<T: std::str::FromStr>(&self, what: &str) -> Result<Vec<T>> {
        let parse = |word: &str| word.parse().map_err(|_| self.wrong(format!("{:?}", shorten(word)), what));
        self.words().into_iter().map(parse).collect()
    }

    fn array<const N: usize, T: std::str::FromStr>(&self, what: &str) -> Result<[T; N]> {
        let numbers: Vec<T> = self.numbers(what)?;
        let n = numbers.len();
        numbers.try_into().map_err(|_| self.wrong(format!("{n} numbers"), what))
    }

    fn reals<const N: usize>(&self, what: &str) -> Result<[f32; N]> {
        let reals: [f64; N] = self.array(what)?;
        match reals.iter().find(|real| !(**real as f32).is_finite()) {
            Some(real) => Err(self.wrong(format!("{real}"), format!("{what}, finite"))),
            None => Ok(reals.map(|real| real as f32)),
        }
    }

    /// The text of a child must be one of the words that we can handle.
    fn demand(&self, tag: &str, wanted: &str, why: &str) -> Result<()> {
        let child = self.child(tag)?;
        let text = child.words().join(" ");
        if text == wanted { Ok(()) } else { Err(child.wrong(format!("{:?}", shorten(&text)), why)) }
    }

    fn model(&self) -> Result<Model> {
        if self.node.children().any(|node| node.has_tag_name("size")) {
            return Err(self.wrong("a cascade of the old Haar format", "the traincascade format"));
        }
        self.demand("stageType", "BOOST", "BOOST")?;
        self.demand("featureType", "LBP", "LBP (Haar and HOG cascades are other detectors)")?;
        self.child("featureParams")?.demand("maxCatCount", "256", "256 codes of a local binary pattern")?;
        let window = (self.side("width")?, self.side("height")?);
        let features = self.features(window)?;
        let list = self.child("stages")?;
        let stages: Vec<Stage> =
            list.children().iter().map(|stage| stage.stage(features.len())).collect::<Result<_>>()?;
        if stages.is_empty() {
            return Err(list.wrong("no stage", "at least one"));
        }
        if let Ok(count) = self.child("stageNum") {
            let [wanted] = count.array::<1, usize>("the number of stages")?;
            if wanted != stages.len() {
                return Err(list.wrong(format!("{} stages", stages.len()), format!("{wanted}, as stageNum says")));
            }
        }
        Ok(Model { window, stages, features })
    }

    fn side(&self, tag: &str) -> Result<u32> {
        let child = self.child(tag)?;
        let what = format!("a side of the window, 3 to {MAX_WINDOW} pixels");
        match child.array(&what)? {
            [side @ 3..=MAX_WINDOW] => Ok(side),
            [side] => Err(child.wrong(format!("{side}"), what)),
        }
    }

    fn features(&self, (width, height): (u32, u32)) -> Result<Vec<Feature>> {
        let list = self.child("features")?;
        let read = |item: &Self| {
            let rect = item.child("rect")?;
            let what = format!("x y w h of a cell whose 3x3 block lies inside the {width}x{height} window");
            let [x, y, w, h]: [u32; 4] = rect.array(&what)?;
            let inside =
                |start: u32, cell: u32, side| cell > 0 && u64::from(start) + 3 * u64::from(cell) <= u64::from(side);
            if inside(x, w, width) && inside(y, h, height) {
                Ok(Feature { x, y, w, h })
            } else {
                Err(rect.wrong(format!("{x} {y} {w} {h}"), what))
            }
        };
        list.children().iter().map(read).collect()
    }

    fn stage(&self, features: usize) -> Result<Stage> {
        let [threshold] = self.child("stageThreshold")?.reads_threshold()?;
        let list = self.child("weakClassifiers")?;
        let stumps: Vec<Stump> = list.children().iter().map(|stump| stump.stump(features)).collect::<Result<_>>()?;
        if stumps.is_empty() {
            return Err(list.wrong("no weak classifier", "at least one"));
        }
        Ok(Stage { threshold: f64::from(threshold - THRESHOLD_EPS), stumps })
    }

    fn reads_threshold(&self) -> Result<[f32; 1]> {
        self.reals("the threshold of the stage")
    }

    fn stump(&self, features: usize) -> Result<Stump> {
        let nodes = self.child("internalNodes")?;
        let what = "a stump: 0 -1, a feature, 8 masks of 32 bits";
        let [left, right, feature, subset @ ..]: [i32; 11] = nodes.array(what)?;
        if (left, right) != (0, -1) {
            return Err(nodes.wrong(format!("{left} {right}"), "0 -1 (trees of more than one node are not known)"));
        }
        let index = usize::try_from(feature).ok().filter(|&index| index < features);
        let feature = index
            .ok_or_else(|| nodes.wrong(format!("feature {feature}"), format!("one of the {features} features")))?;
        let leaves = self.child("leafValues")?.reals("2 leaf values")?;
        Ok(Stump { feature, subset: subset.map(|mask: i32| mask as u32), leaves })
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
