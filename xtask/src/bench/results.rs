//! The generated sections of `benches/results.md`. What stands outside of their marks is written by hand and stays.

use crate::Result;
use std::path::Path;

fn begin(name: &str) -> String {
    format!("<!-- begin cargo xtask bench {name} -->")
}

fn end(name: &str) -> String {
    format!("<!-- end cargo xtask bench {name} -->")
}

/// Puts `section` between the marks of that name in the file; at its end when it has none.
pub fn put(path: &Path, name: &str, section: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: cannot read: {error}", path.display()))?;
    let text = replaced(&text, name, section).map_err(|error| format!("{}: {error}", path.display()))?;
    std::fs::write(path, text).map_err(|error| format!("{}: cannot write: {error}", path.display()))
}

fn replaced(text: &str, name: &str, section: &str) -> Result<String> {
    let (begin, end) = (begin(name), end(name));
    let section = format!("{begin}\n{}\n{end}\n", section.trim());
    let count = |mark: &str| text.matches(mark).count();
    match (count(&begin), count(&end)) {
        (0, 0) => Ok(format!("{}\n\n{section}", text.trim_end())),
        (1, 1) => {
            let (before, rest) = text.split_once(&begin).unwrap_or_default();
            let Some((_, after)) = rest.split_once(&end) else {
                return Err(format!("`{end}` stands before `{begin}`: put them in order, or remove both"));
            };
            Ok(format!("{before}{section}{}", after.strip_prefix('\n').unwrap_or(after)))
        }
        (begins, ends) => {
            Err(format!("`{begin}` stands there {begins} times and `{end}` {ends} times; expected one of each or none"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_section_stands_at_the_end() {
        let text = replaced("# Measurements\n\nby hand\n", "ops", "\n## new\n\n").unwrap();
        let wanted = "# Measurements\n\nby hand\n\n<!-- begin cargo xtask bench ops -->\n## new\n\
                      <!-- end cargo xtask bench ops -->\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_section_is_replaced_and_its_surroundings_stay() {
        let text = replaced("above\n", "ops", "old").unwrap() + "\nbetween\n";
        let text = replaced(&text, "steps", "other").unwrap() + "\nbelow\n";
        let text = replaced(&text, "ops", "new\nlines").unwrap();
        let wanted = "above\n\n<!-- begin cargo xtask bench ops -->\nnew\nlines\n<!-- end cargo xtask bench ops -->\n\n\
                      between\n\n<!-- begin cargo xtask bench steps -->\nother\n<!-- end cargo xtask bench steps -->\n\nbelow\n";
        assert_eq!(text, wanted);
        assert_eq!(replaced(&text, "ops", "new\nlines").unwrap(), text, "again changes nothing");
    }

    #[test]
    fn every_section_of_the_committed_file_can_be_replaced() {
        let text = include_str!("../../../benches/results.md");
        for (part, _) in super::super::PARTS {
            let once = replaced(text, part, "new").unwrap();
            assert_eq!(replaced(&once, part, "new").unwrap(), once, "{part}");
        }
    }

    #[test]
    fn marks_that_are_not_a_pair_are_refused() {
        let half = "<!-- begin cargo xtask bench ops -->\ntable\n";
        assert!(replaced(half, "ops", "new").unwrap_err().contains("1 times"));
        let wrong = "<!-- end cargo xtask bench ops -->\n<!-- begin cargo xtask bench ops -->\n";
        assert!(replaced(wrong, "ops", "new").unwrap_err().contains("in order"));
        let twice = format!("{half}<!-- end cargo xtask bench ops -->\n").repeat(2);
        assert!(replaced(&twice, "ops", "new").is_err());
    }
}
