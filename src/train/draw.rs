//! The random tensors of a round: drawn on the CPU, and either fresh on the device, or, where the round is a graph that is
//! launched again and again, in memory that is filled anew before each launch.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::rng::Stream;
use crate::{Error, Result};

/// Draws the tensors of one name, on the CPU.
pub(super) type Draw = Arc<dyn Fn(&mut Stream) -> Result<Vec<Tensor>> + Send + Sync>;

/// What becomes of the draws of a round.
#[derive(Clone, Default)]
enum Mode {
    /// Each goes to the device.
    #[default]
    Fresh,
    /// So it does, and how it was drawn is written down.
    Noting(BTreeMap<String, Noted>),
    /// None is drawn: the tensors are there.
    Given(BTreeMap<String, Vec<Tensor>>),
}

/// How the tensors of one name were drawn, and what they were.
#[derive(Clone)]
pub(super) struct Noted {
    pub(super) draw: Draw,
    pub(super) tensors: Vec<Tensor>,
}

/// The draws of a round.
#[derive(Clone, Default)]
pub(super) struct Draws {
    mode: Mode,
    obstacle: Cell<Option<&'static str>>,
}

impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mode {
            Mode::Fresh => f.write_str("Fresh"),
            Mode::Noting(noted) => f.debug_list().entries(noted.keys()).finish(),
            Mode::Given(given) => f.debug_map().entries(given).finish(),
        }
    }
}

impl Draws {
    /// Draws that are written down.
    pub(super) fn noting() -> Draws {
        Draws { mode: Mode::Noting(BTreeMap::new()), ..Draws::default() }
    }

    /// Draws that have been made, by name.
    pub(super) fn given(tensors: BTreeMap<String, Vec<Tensor>>) -> Draws {
        Draws { mode: Mode::Given(tensors), ..Draws::default() }
    }

    /// What was written down, or why it is not all that was drawn.
    pub(super) fn noted(self) -> Result<BTreeMap<String, Noted>, &'static str> {
        match (self.obstacle.get(), self.mode) {
            (Some(obstacle), _) => Err(obstacle),
            (None, Mode::Noting(noted)) => Ok(noted),
            (None, _) => Ok(BTreeMap::new()),
        }
    }

    /// Somebody draws without leaving word of how.
    pub(super) fn unknown(&self) {
        self.obstacle.set(Some("its loss draws random numbers by Step::stream, not by Step::draw"));
    }

    /// The tensors of one name, on `device`.
    pub(super) fn make(&mut self, name: &str, mut stream: Stream, device: &Device, draw: Draw) -> Result<Vec<Tensor>> {
        if let Mode::Given(given) = &self.mode {
            let missing = || Error::invalid("random numbers", format!("\"{name}\""), "those drawn before", "");
            return given.get(name).cloned().ok_or_else(missing);
        }
        let drawn = draw(&mut stream)?;
        let tensors = drawn.iter().map(|tensor| tensor.to_device(device)).collect::<candle_core::Result<_>>()?;
        if let Mode::Noting(noted) = &mut self.mode
            && noted.insert(name.to_string(), Noted { draw, tensors: drawn }).is_some()
        {
            self.obstacle.set(Some("its loss draws twice under one name"));
        }
        Ok(tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, seed};

    fn numbers(tensors: &[Tensor]) -> Vec<f32> {
        tensors[0].to_vec1().unwrap()
    }

    fn draw() -> Draw {
        Arc::new(|stream| Ok(vec![stream.normal_tensor(&[4], &Device::Cpu)?]))
    }

    fn make(draws: &mut Draws, name: &str) -> Result<Vec<Tensor>> {
        draws.make(name, Seed(1).stream(name), &Device::Cpu, draw())
    }

    #[test]
    fn noting_changes_no_number_and_tells_how_to_draw_again() {
        let mut draws = Draws::noting();
        let fresh = make(&mut Draws::default(), "z").unwrap();
        assert_eq!(numbers(&make(&mut draws, "z").unwrap()), numbers(&fresh));
        let noted = draws.noted().unwrap();
        let mut stream = seed(1).stream("z");
        assert_eq!(numbers(&(noted["z"].draw)(&mut stream).unwrap()), numbers(&fresh));
        assert_eq!(numbers(&noted["z"].tensors), numbers(&fresh));
    }

    #[test]
    fn tensors_that_are_given_are_those_and_no_others() {
        let zeros = vec![Tensor::zeros(4, candle_core::DType::F32, &Device::Cpu).unwrap()];
        let mut draws = Draws::given([("z".to_string(), zeros)].into());
        assert_eq!(numbers(&make(&mut draws, "z").unwrap()), [0.0; 4]);
        assert!(make(&mut draws, "y").unwrap_err().to_string().contains("\"y\""));
    }

    #[test]
    fn what_cannot_be_drawn_again_is_told() {
        let mut twice = Draws::noting();
        make(&mut twice, "z").unwrap();
        make(&mut twice, "z").unwrap();
        assert!(twice.noted().is_err_and(|reason| reason.contains("twice")));
        let unknown = Draws::noting();
        unknown.unknown();
        assert!(unknown.noted().is_err_and(|reason| reason.contains("Step::stream")));
    }
}
