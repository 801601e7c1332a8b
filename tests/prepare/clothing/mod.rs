//! From found pictures to pairs of a character and clothing.

mod classify;
mod dedupe;
mod hostile;
mod pad;
mod paired;
