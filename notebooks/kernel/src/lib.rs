pub use tachie::*;
