//! From found pictures to pairs of a character and clothing.

mod classify;
mod dedupe;
mod detector;
mod hostile;
mod learned;
mod pad;
mod paired;
