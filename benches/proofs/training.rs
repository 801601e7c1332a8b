//! A training of a proof, with what it took.

use std::time::Instant;

use serde::Serialize;
use tachie::Result;
use tachie::train::trainer::Trainer;

use crate::processor::processor_seconds;

/// How long a model was trained, without what was measured in between.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Trained {
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub threads: usize,
    pub steps: u64,
    pub images: u64,
}

impl Trained {
    /// Trains for so many seconds more.
    pub fn on(self, trainer: &mut Trainer, seconds: f64) -> Result<Trained> {
        let (clock, cpu) = (Instant::now(), processor_seconds());
        trainer.seconds(seconds)?;
        Ok(Trained {
            seconds: self.seconds + clock.elapsed().as_secs_f64(),
            cpu_seconds: self.cpu_seconds + processor_seconds() - cpu,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            steps: trainer.steps_done(),
            images: trainer.images_seen(),
        })
    }

    /// Whether it ended in time, but for a last step and the writing of the run.
    pub fn within(&self, limit: f64) -> bool {
        self.seconds <= limit + 10.0
    }

    /// Prints three lines.
    pub fn print(&self, limit: f64) {
        println!("  training             {:.0} s of wall clock, at most {limit:.0} wanted", self.seconds);
        println!("  processor time       {:.0} s on {} cores", self.cpu_seconds, self.threads);
        println!("  steps                {} ({} pictures shown)", self.steps, self.images);
    }
}
