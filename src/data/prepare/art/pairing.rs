//! Which files are the two halves of one texture.
//!
//! Graphics formats of older phones have no transparency, so games ship a colour texture and a second one whose
//! brightness is the opacity. Programs that unpack games name the second after the first.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::report::{Action, Problem};

/// Ends of names that only opacity textures have.
const CERTAIN: [&str; 2] = ["_alpha", "[alpha]"];
/// Ends of names that other pictures have too: they count where the same folder holds the name without them.
const POSSIBLE: [&str; 2] = ["_a", "#1"];
/// Folders of opacity textures beside those of the colours.
pub const ALPHA_FOLDERS: [&str; 3] = ["alpha", "mask", "opacity"];

/// A picture, in one file or two. Paths are below the folder, with slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Texture {
    /// The colours.
    pub colour: String,
    /// The opacity, if it is a file of its own.
    pub alpha: Option<String>,
    /// Whether the name of the opacity file is one that colour files have too ("_a").
    pub doubtful: bool,
}

/// The textures of a folder, by colour file, and the files that are part of none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// The textures.
    pub textures: Vec<Texture>,
    /// The other files, and why.
    pub problems: Vec<Problem>,
}

/// Pairs files by their names, whatever the case of their letters:
///
/// * `x_alpha`, `x[alpha]`, `x_a` and `x#1` belong to `x` in the same folder, whatever the extensions; `_alpha` and
///   `[alpha]` also to `x` in a folder beside theirs;
/// * a file in a folder of [`ALPHA_FOLDERS`], or of `alpha_folders`, belongs to the one of the same name in a folder
///   beside it (`alpha/x.png` to `rgb/x.png`).
///
/// Files without a partner are textures by themselves, but for those that can only be opacity. Where more than one partner
/// fits, none is taken: all of them are problems.
pub fn pair(files: &[String], alpha_folders: &[String]) -> Pairing {
    let names: Vec<Name> = files.iter().map(|file| Name::new(file, alpha_folders)).collect();
    let mut stems: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, name) in names.iter().enumerate() {
        stems.entry(&name.stem).or_default().push(i);
    }
    let search = Search { names: &names, stems };
    // What each opacity file could belong to.
    let mut claims: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in (0..names.len()).filter(|&i| names[i].certain()) {
        claims.insert(i, search.colours(i));
    }
    let certain: BTreeSet<usize> = claims.values().flatten().copied().collect();
    let mut bases = certain.clone();
    // The longest names first: in x, x_a and x_a_a the last one is the opacity of the second.
    let mut possible: Vec<usize> = (0..names.len()).filter(|i| !claims.contains_key(i)).collect();
    possible.sort_by_key(|&i| std::cmp::Reverse(names[i].stem.len()));
    for i in possible {
        let colours = match without(&names[i].stem, &POSSIBLE) {
            Some(base) if !bases.contains(&i) => search.there(&names[i].folder, base),
            _ => Vec::new(),
        };
        // A colour file whose opacity is certain has no second one.
        if !colours.is_empty() && colours.iter().all(|colour| !certain.contains(colour)) {
            bases.extend(&colours);
            claims.insert(i, colours);
        }
    }
    decide(files, &names, &claims)
}

fn decide(files: &[String], names: &[Name], claims: &BTreeMap<usize, Vec<usize>>) -> Pairing {
    let mut alphas_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (alpha, colours) in claims {
        colours.iter().for_each(|colour| alphas_of.entry(*colour).or_default().push(*alpha));
    }
    let mut pairing = Pairing::default();
    let listed = |of: &[usize]| of.iter().map(|&i| files[i].as_str()).collect::<Vec<_>>().join(", ");
    let mut leave_out = |i: usize, kind: &str, detail: String| {
        let (kind, file) = (kind.to_string(), files[i].clone());
        pairing.problems.push(Problem { kind, file, detail, action: Action::LeftOut });
    };
    let unclear = |alpha: &usize| claims[alpha].len() > 1 || claims[alpha].iter().any(|c| alphas_of[c].len() > 1);
    for (alpha, colours) in claims {
        match colours.as_slice() {
            [] => leave_out(*alpha, "opacity without colours", "no file of its name without the ending".into()),
            [colour] if alphas_of[colour].len() > 1 => {
                leave_out(*alpha, "ambiguous pair", format!("one of several for {}", files[*colour]))
            }
            [_] => {}
            many => leave_out(*alpha, "ambiguous pair", format!("fits {}", listed(many))),
        }
    }
    for i in (0..files.len()).filter(|i| !claims.contains_key(i)) {
        match alphas_of.get(&i).map(Vec::as_slice) {
            Some(alphas) if alphas.iter().any(unclear) => {
                leave_out(i, "ambiguous pair", format!("with {}", listed(alphas)))
            }
            alphas => {
                let alpha = alphas.and_then(<[usize]>::first);
                pairing.textures.push(Texture {
                    colour: files[i].clone(),
                    alpha: alpha.map(|&alpha| files[alpha].clone()),
                    doubtful: alpha.is_some_and(|&alpha| !names[alpha].certain()),
                });
            }
        }
    }
    pairing.textures.sort();
    pairing.problems.sort();
    pairing
}

/// The name of a file in lower case.
struct Name {
    folder: Vec<String>,
    stem: String,
    /// Place of the folder that says that it is opacity.
    marked: Option<usize>,
}

impl Name {
    fn new(file: &str, alpha_folders: &[String]) -> Name {
        let lower = file.to_lowercase();
        let mut folder: Vec<String> = lower.split('/').map(String::from).collect();
        let name = folder.pop().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_string();
        let known = |part: &String| {
            ALPHA_FOLDERS.contains(&part.as_str()) || alpha_folders.iter().any(|name| name.to_lowercase() == *part)
        };
        let marked = folder.iter().rposition(known);
        Name { folder, stem, marked }
    }

    /// Whether the file can only be opacity.
    fn certain(&self) -> bool {
        self.marked.is_some() || without(&self.stem, &CERTAIN).is_some()
    }
}

fn without<'a>(stem: &'a str, ends: &[&str]) -> Option<&'a str> {
    let base = ends.iter().find_map(|end| stem.strip_suffix(end))?.trim_end();
    (!base.is_empty()).then_some(base)
}

struct Search<'a> {
    names: &'a [Name],
    stems: BTreeMap<&'a str, Vec<usize>>,
}

impl Search<'_> {
    /// The files of that stem in that folder.
    fn there(&self, folder: &[String], stem: &str) -> Vec<usize> {
        self.of_stem(stem, |name| name.folder == folder)
    }

    fn of_stem(&self, stem: &str, fits: impl Fn(&Name) -> bool) -> Vec<usize> {
        let all = self.stems.get(stem).map(Vec::as_slice).unwrap_or_default();
        all.iter().copied().filter(|&i| fits(&self.names[i])).collect()
    }

    /// The colour files that a file which is certainly opacity may belong to.
    fn colours(&self, i: usize) -> Vec<usize> {
        let name = &self.names[i];
        let colour = |j: &usize| !self.names[*j].certain();
        let base = without(&name.stem, &CERTAIN);
        let place = name.marked.or(name.folder.len().checked_sub(1));
        let here = base.map(|base| self.there(&name.folder, base)).unwrap_or_default();
        let beside = |stem: &str| place.map(|place| self.beside(&name.folder, place, stem)).unwrap_or_default();
        let tries = [
            here.into_iter().filter(colour).collect(),
            if name.marked.is_some() { beside(&name.stem) } else { Vec::new() },
            base.map(beside).unwrap_or_default(),
            without(&name.stem, &POSSIBLE).filter(|_| name.marked.is_some()).map(beside).unwrap_or_default(),
        ];
        tries.into_iter().find(|found: &Vec<usize>| !found.is_empty()).unwrap_or_default()
    }

    /// The colour files of that stem whose folder differs from `folder` in the part at `place` only.
    fn beside(&self, folder: &[String], place: usize, stem: &str) -> Vec<usize> {
        let same = |other: &[String]| {
            other.len() == folder.len()
                && (0..folder.len()).all(|part| (part == place) != (other[part] == folder[part]))
        };
        self.of_stem(stem, |name| !name.certain() && same(&name.folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(files: &[&str]) -> (Vec<String>, Vec<String>) {
        let files: Vec<String> = files.iter().map(|file| file.to_string()).collect();
        let pairing = pair(&files, &["Deckkraft".to_string()]);
        let show = |t: Texture| format!("{}{}", t.colour, t.alpha.map_or(String::new(), |alpha| format!(" + {alpha}")));
        let problem = |p: Problem| format!("{}: {}", p.file, p.kind);
        (pairing.textures.into_iter().map(show).collect(), pairing.problems.into_iter().map(problem).collect())
    }

    #[test]
    fn endings_are_stripped_whatever_their_case() {
        let files =
            ["a.png", "A_Alpha.PNG", "b.png", "b [alpha].webp", "c.jpg", "c_a.png", "d.png", "d#1.png", "e.png"];
        let (textures, problems) = pairs(&files);
        let wanted = ["a.png + A_Alpha.PNG", "b.png + b [alpha].webp", "c.jpg + c_a.png", "d.png + d#1.png", "e.png"];
        assert_eq!((textures, problems.len()), (wanted.map(String::from).to_vec(), 0));
    }

    #[test]
    fn a_possible_ending_is_part_of_a_name_where_it_must_be() {
        // Arknights numbers its costumes: x#1 is a picture with an opacity of its own.
        let (textures, problems) = pairs(&["x#1.png", "x#1[alpha].png", "x.png", "x[alpha].png", "Anna_a.png"]);
        assert_eq!(textures, ["Anna_a.png", "x#1.png + x#1[alpha].png", "x.png + x[alpha].png"]);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(pairs(&["y.png", "y_a.png", "y_a_a.png"]).0, ["y.png", "y_a.png + y_a_a.png"]);
        // The opacity of z is certain: z_a is another picture.
        assert_eq!(pairs(&["z.png", "z_a.png", "z_alpha.png"]).0, ["z.png + z_alpha.png", "z_a.png"]);
    }

    #[test]
    fn folders_beside_each_other() {
        let files =
            ["p/rgb/k/1.png", "p/Alpha/k/1.png", "p/rgb/2.png", "p/alpha/2_a.png", "q/3.png", "Deckkraft/3.png"];
        let (textures, problems) = pairs(&files);
        let wanted = ["p/rgb/2.png + p/alpha/2_a.png", "p/rgb/k/1.png + p/Alpha/k/1.png", "q/3.png + Deckkraft/3.png"];
        assert_eq!((textures, problems.len()), (wanted.map(String::from).to_vec(), 0));
        // Equal names in folders that say nothing are two pictures; a certain ending crosses folders.
        let (textures, _) = pairs(&["girls/1.png", "ships/1.png", "Texture2D/w.png", "Sprite/w_alpha.png"]);
        assert_eq!(textures, ["Texture2D/w.png + Sprite/w_alpha.png", "girls/1.png", "ships/1.png"]);
    }

    #[test]
    fn what_is_ambiguous_or_alone_is_left_out() {
        let (textures, problems) = pairs(&["a.png", "a.jpg", "a_alpha.png", "free.png"]);
        assert_eq!(textures, ["free.png"]);
        let all = ["a.jpg: ambiguous pair", "a.png: ambiguous pair", "a_alpha.png: ambiguous pair"];
        assert_eq!(problems, all);
        let (textures, problems) = pairs(&["b.png", "b_alpha.png", "b[alpha].png", "c_alpha.png", "alpha/d.png"]);
        assert!(textures.is_empty());
        let wanted = [
            "b.png: ambiguous pair",
            "b[alpha].png: ambiguous pair",
            "b_alpha.png: ambiguous pair",
            "alpha/d.png: opacity without colours",
            "c_alpha.png: opacity without colours",
        ];
        assert_eq!(problems, wanted);
        let (textures, problems) = pairs(&["rgb/e.png", "rgba/e.png", "alpha/e.png", "_alpha.png"]);
        assert_eq!((textures.as_slice(), problems.len()), (&["_alpha.png".to_string()][..], 3));
    }
}
