//! Which vector instructions the CPU kernels use.
//!
//! The widest that the processor has, unless the environment variable `TACHIE_CPU` names narrower ones: `portable`
//! (what every processor of the architecture has), `avx2` or `avx512`. The tests of gradients run on each of them. The
//! choice is made once per process.

use std::fmt;
use std::sync::LazyLock;

use crate::{Error, Result};

/// The environment variable that chooses.
pub const VARIABLE: &str = "TACHIE_CPU";

/// A set of vector instructions, narrow ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What the compiler may use everywhere: SSE2 on x86-64, NEON on 64-bit ARM.
    Portable,
    /// 256-bit vectors: AVX2 and FMA (x86-64-v3).
    Avx2,
    /// 512-bit vectors: AVX-512 F, BW, CD, DQ and VL (x86-64-v4).
    Avx512,
}

impl Level {
    /// All levels, narrow ones first.
    pub const ALL: [Level; 3] = [Level::Portable, Level::Avx2, Level::Avx512];

    /// What [`VARIABLE`] calls it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// The widest level that this processor has.
    pub fn widest() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            if pulp::x86::V4::is_available() {
                return Level::Avx512;
            }
            if pulp::x86::V3::is_available() {
                return Level::Avx2;
            }
        }
        Level::Portable
    }

    /// The levels that this processor has, narrow ones first.
    pub fn available() -> impl Iterator<Item = Level> {
        let widest = Level::widest();
        Level::ALL.into_iter().filter(move |&level| level <= widest)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The level that the kernels of this process use. When [`VARIABLE`] cannot be followed, that is said once on
/// standard error, and the widest level of the processor is used.
pub fn level() -> Level {
    CHOSEN.level
}

/// Checks that [`VARIABLE`] could be followed.
///
/// # Errors
/// When it names no level, or one that this processor lacks.
pub fn check() -> Result<Level> {
    choose(std::env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned()), Level::widest())
}

/// The level that `wanted` names, or `widest`.
fn choose(wanted: Option<String>, widest: Level) -> Result<Level> {
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
        return Ok(widest);
    };
    match Level::ALL.into_iter().find(|level| level.name() == wanted) {
        Some(level) if level <= widest => Ok(level),
        found => {
            let names: Vec<&str> =
                Level::ALL.iter().filter(|&&level| level <= widest).map(|level| level.name()).collect();
            let found = if found.is_some() { format!("{wanted}, which this processor lacks") } else { wanted };
            Err(Error::invalid(VARIABLE, found, names.join(", "), "Without the variable the widest level is used."))
        }
    }
}

/// The level with the proof that the processor has it.
struct Chosen {
    level: Level,
    #[cfg(target_arch = "x86_64")]
    vectors: Vectors,
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
enum Vectors {
    Portable,
    Avx2(pulp::x86::V3),
    Avx512(pulp::x86::V4),
}

static CHOSEN: LazyLock<Chosen> = LazyLock::new(|| {
    let level = check().unwrap_or_else(|error| {
        let widest = Level::widest();
        eprintln!("warning: {error} Using {widest}.");
        widest
    });
    #[cfg(target_arch = "x86_64")]
    let vectors = match (level, pulp::x86::V3::try_new(), pulp::x86::V4::try_new()) {
        (Level::Avx512, _, Some(simd)) => Vectors::Avx512(simd),
        (Level::Avx2, Some(simd), _) => Vectors::Avx2(simd),
        _ => Vectors::Portable,
    };
    Chosen {
        level,
        #[cfg(target_arch = "x86_64")]
        vectors,
    }
});

/// Runs a loop compiled for the vectors of [`level`]. Nothing is fused or reordered for it: the numbers are the same
/// bits on every level. The loop must be short, or else the compiler makes one function of it for all levels, with the
/// narrowest vectors: longer ones are jobs for [`run`].
#[inline(always)]
pub(crate) fn widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        match CHOSEN.vectors {
            Vectors::Avx512(simd) => simd.vectorize(work),
            Vectors::Avx2(simd) => simd.vectorize(work),
            Vectors::Portable => work(),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    work()
}

/// Runs a job written for vectors of any width with those of [`level`].
pub(super) fn run<J: pulp::WithSimd>(job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    match CHOSEN.vectors {
        Vectors::Avx512(simd) => return pulp::Simd::vectorize(simd, job),
        Vectors::Avx2(simd) => return pulp::Simd::vectorize(simd, job),
        Vectors::Portable => {}
    }
    // Eight numbers at a time, which the compiler turns into whatever vectors every processor has.
    pulp::Simd::vectorize(pulp::Scalar256b, job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_a_level_or_says_which_there_are() {
        let choose = |wanted: &str, widest| choose(Some(wanted.to_string()), widest);
        assert_eq!(super::choose(None, Level::Avx2).unwrap(), Level::Avx2);
        assert_eq!(choose("", Level::Avx512).unwrap(), Level::Avx512);
        for level in Level::ALL {
            assert_eq!(choose(level.name(), Level::Avx512).unwrap(), level);
        }
        let message = choose("avx512", Level::Avx2).unwrap_err().to_string();
        assert!(message.contains("TACHIE_CPU") && message.contains("lacks") && message.contains("portable, avx2"));
        let message = choose("AVX3", Level::Portable).unwrap_err().to_string();
        assert!(message.contains("found AVX3, expected portable."), "{message}");
    }

    #[test]
    fn work_runs_once_on_every_machine() {
        assert!(Level::available().any(|available| available == level()));
        let mut runs = 0;
        assert_eq!(
            widest(|| {
                runs += 1;
                7
            }),
            7
        );
        assert_eq!(runs, 1);
    }
}
