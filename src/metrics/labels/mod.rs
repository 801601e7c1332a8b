//! Whether pictures show what was asked for: attributes, edits, poses; judged by a network or by people.

pub mod attributes;
pub mod colour;
pub mod edits;
pub mod judgements;
pub mod keypoints;
pub mod reliability;
