//! The threads that the rounds of a training run on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use candle_core::Device;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Error, Result};

/// Enough for graphs of any depth, as much as a main thread has; only what is touched takes memory.
const STACK: usize = 8 << 20;

/// Rounds that each number of threads is timed for. The shortest counts, so that one that was disturbed does no harm.
const TRIALS: usize = 3;

/// Rounds after which the times are taken anew: something else may have begun to use the processor, or ended.
const LASTING: usize = 1_000;

/// One thread, and as many as rayon has; whole rounds run on either, whichever takes less time.
///
/// A round on the CPU is thousands of small operations. Asked for from outside of the threads that do them, each of them has to
/// wake one and wait for it, which takes a third of the time of a small network; asked for by one of these threads, it begins at
/// once and others help. Where the operations are so small that waking the helpers takes longer than what they save, one
/// thread is twice as fast as two. Bits do not depend on the number of threads, so neither do they on what the clock says.
///
/// The threads are the training's own: while they wait for each other they take over pieces of the same operation only, never a
/// step of another training.
#[derive(Default)]
pub(crate) struct Threads {
    /// None on a GPU, where there is nothing to share out.
    pools: Vec<ThreadPool>,
    kinds: BTreeMap<Kind, Times>,
}

/// What rounds that take about the same time have in common: their stage, whether it is in its fade, and their place in a
/// step.
pub(crate) type Kind = (usize, bool, u32);

/// How long rounds of one kind took.
#[derive(Default)]
struct Times {
    /// How many there were, trials and others.
    rounds: usize,
    /// The pool of each trial, and its time.
    trials: Vec<(usize, Duration)>,
}

impl Threads {
    /// Threads for a training on this device.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn of(device: &Device) -> Result<Threads> {
        let all = rayon::current_num_threads();
        let numbers = match device {
            Device::Cpu if all == 1 => vec![1],
            Device::Cpu => vec![all, 1],
            _ => vec![],
        };
        let pools = numbers.into_iter().map(pool).collect::<Result<_>>()?;
        Ok(Threads { pools, kinds: BTreeMap::new() })
    }

    /// Whether every kind of round that there was has been tried on each number of threads.
    pub fn settled(&self) -> bool {
        let pools = self.pools.len();
        pools < 2 || !self.kinds.is_empty() && self.kinds.values().all(|times| times.settled(pools))
    }

    /// Does the work of a round of this kind.
    pub fn run<R: Send>(&mut self, kind: Kind, work: impl FnOnce() -> R + Send) -> R {
        if self.pools.is_empty() {
            return work();
        }
        let (times, pools) = (self.kinds.entry(kind).or_default(), self.pools.len());
        let chosen = times.next(pools);
        let clock = Instant::now();
        let result = self.pools[chosen].install(work);
        times.took(chosen, pools, clock.elapsed());
        result
    }
}

impl Times {
    /// The pool for the next round: each in turn while they are timed, then the fastest.
    fn next(&mut self, pools: usize) -> usize {
        if self.rounds == LASTING {
            *self = Times::default();
        }
        if !self.settled(pools) {
            return self.rounds % pools;
        }
        self.trials.iter().min_by_key(|(_, time)| *time).map_or(0, |(pool, _)| *pool)
    }

    fn took(&mut self, pool: usize, pools: usize, time: Duration) {
        if !self.settled(pools) {
            self.trials.push((pool, time));
        }
        self.rounds += 1;
    }

    /// Whether the trials are over.
    fn settled(&self, pools: usize) -> bool {
        self.rounds >= TRIALS * pools
    }
}

fn pool(threads: usize) -> Result<ThreadPool> {
    let builder = ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK);
    builder.thread_name(|number| format!("step-{number}")).build().map_err(|reason| {
        Error::invalid("threads of the training", reason.to_string(), "some", "Set RAYON_NUM_THREADS to fewer.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faster_pool_is_found_and_found_anew() {
        let time = |pool: usize, slow: usize| Duration::from_millis(if pool == slow { 9 } else { 4 });
        let mut times = Times::default();
        let mut chosen = Vec::new();
        for round in 0..LASTING + 20 {
            let pool = times.next(2);
            assert_eq!(times.settled(2), round >= 6 && !(LASTING..LASTING + 6).contains(&round));
            // The first pool is the slow one, whatever disturbs the other one once; later it is the other way around.
            let slow = usize::from(round >= LASTING / 2);
            times.took(pool, 2, if round == 1 { Duration::from_secs(1) } else { time(pool, slow) });
            chosen.push(pool);
        }
        assert_eq!(chosen[..6], [0, 1, 0, 1, 0, 1]);
        assert!(chosen[6..LASTING].iter().all(|pool| *pool == 1));
        assert!(chosen[LASTING + 6..].iter().all(|pool| *pool == 0));
    }
}
