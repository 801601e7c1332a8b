//! Step 2: which pictures are pairs.
//!
//! The paper fine-tunes VGG-16 in two rounds, of 2,760 and of 3,052 labelled pictures: the first classifier looks at more
//! pictures, people correct what it says of them, and the second one learns from those as well (section 3; specs/clothing.md
//! section B). Here a round asks for those labels that say most: pictures of which the classifier is least certain.
//!
//! [`classify_round`] asks for labels, and learns from those that were given; [`PairClassifier`] is what it learns;
//! [`filter_pairs`] keeps the pairs. Labels are in a table that only grows ([`Labels`]).

mod classifier;
mod example;
mod labels;
mod network;
mod round;
mod trained;

pub use classifier::{ClassifierOptions, PairClassifier, SCORES};
pub use labels::{LABELS, Label, Labels};
pub use network::Backbone;
pub use round::{Disagreement, FilterOptions, RoundOptions, RoundReport, classify_round, filter_pairs};
