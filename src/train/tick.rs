//! What a training says while it runs: whole lines, few of them, with what is left to wait for.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::history::Record;
use super::plan::Mark;

/// Lines that a training in the background keeps for [`watch`](super::handle::TrainHandle::watch).
const KEPT: usize = 1000;

/// Where lines go.
#[derive(Clone, Debug, Default)]
pub(super) enum Console {
    /// Standard output, at once.
    #[default]
    Print,
    /// A list that somebody reads: lines of another thread must not fall between the parts of a cell's output.
    Keep(Arc<Mutex<VecDeque<String>>>),
}

impl Console {
    pub(super) fn say(&self, line: String) {
        match self {
            Console::Print => print_line(&line),
            Console::Keep(lines) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == KEPT {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
        }
    }
}

/// One whole line on standard output. Nobody may be listening any more, which is no reason to stop training.
pub(crate) fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// What a call to the trainer is to reach.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// So many steps in all.
    Steps(u64),
    /// So many images in all.
    Images(u64),
    /// That moment.
    Time(Instant),
}

impl Goal {
    pub(super) fn of(mark: Mark) -> Goal {
        match mark {
            Mark::Steps(steps) => Goal::Steps(steps),
            Mark::Images(images) => Goal::Images(images),
        }
    }
}

/// When to print, and how far it is to the goal.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    /// How long the run had been training before.
    before: Duration,
    first_step: u64,
    first_images: u64,
    last_line: Option<(Instant, u64)>,
}

impl Pace {
    pub(super) fn new(step: u64, images: u64, before: Duration) -> Pace {
        Pace { start: Instant::now(), before, first_step: step, first_images: images, last_line: None }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Images per second since the beginning of the call.
    pub(super) fn speed(&self, images: u64) -> f64 {
        images.saturating_sub(self.first_images) as f64 / self.elapsed().as_secs_f64().max(1e-9)
    }

    /// Whether a line is due: at most one a second, and fewer the longer the call lasts (about 20 in two minutes, 80
    /// in an hour). A call on a run that has trained for a while starts at its slower pace, as one in a loop does.
    pub(super) fn due(&self) -> bool {
        let lasting = self.elapsed() + self.before.min(Duration::from_secs(60));
        let wait = (lasting / 5).min(Duration::from_secs(20)).max(lasting / 10);
        let wait = wait.clamp(Duration::from_secs(1), Duration::from_secs(60));
        self.last_line.is_none_or(|(at, _)| at.elapsed() >= wait)
    }

    /// The line of a tick.
    pub(super) fn line(&mut self, record: &Record, goal: Goal) -> String {
        let (since, images) = self.last_line.unwrap_or((self.start, self.first_images));
        let speed = record.images.saturating_sub(images) as f64 / since.elapsed().as_secs_f64().max(1e-9);
        self.last_line = Some((Instant::now(), record.images));
        let goal_step = match goal {
            Goal::Steps(steps) if steps < u64::MAX => format!("/{steps}"),
            _ => String::new(),
        };
        let memory = memory().map_or_else(|| "?".to_string(), |bytes| format!("{} MiB", bytes >> 20));
        format!(
            "step {}{goal_step}  {:.2} kimg  {speed:.1} img/s  {}  {memory}  ETA {}",
            record.step,
            record.images as f64 / 1000.0,
            losses(record),
            self.left(record, goal).map_or_else(|| "?".to_string(), duration),
        )
    }

    /// Time to the goal at the average speed of this call; `None` when it is beyond what a clock can tell.
    fn left(&self, record: &Record, goal: Goal) -> Option<Duration> {
        let at_this_pace = |done: u64, left: u64| {
            let seconds = self.elapsed().as_secs_f64() * left as f64 / done.max(1) as f64;
            Duration::try_from_secs_f64(seconds).ok()
        };
        match goal {
            Goal::Steps(u64::MAX) => None,
            Goal::Steps(goal) => at_this_pace(record.step - self.first_step, goal.saturating_sub(record.step)),
            Goal::Images(goal) => at_this_pace(record.images - self.first_images, goal.saturating_sub(record.images)),
            Goal::Time(moment) => Some(moment.saturating_duration_since(Instant::now())),
        }
    }
}

/// `D adv 1.2 gp 0.03  G adv 0.9`: a whole tick is to fit into a line of a notebook.
fn losses(record: &Record) -> String {
    let mut text = String::new();
    let mut last = "";
    for (name, value) in &record.losses {
        let (player, term) = name.split_once('/').unwrap_or(("", name));
        if term == "total" {
            continue;
        }
        if player != last {
            text.push_str(if last.is_empty() { "" } else { "  " });
            text.extend(player.chars().next().map(|initial| initial.to_ascii_uppercase()));
            last = player;
        }
        text.push_str(&format!(" {term} {}", short(*value)));
    }
    text
}

/// Three digits where they fit in front of the point, never more than three behind it.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

/// `3 h 12 min`, `4 min 5 s`, `8 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Resident memory of this process in bytes, where the system tells (Linux).
pub fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_tick_is_one_line_with_everything() {
        let mut pace = Pace::new(10, 160, Duration::ZERO);
        assert!(pace.due());
        let record = Record {
            step: 12,
            images: 192,
            seconds: 1.0,
            stage: 0,
            alpha: 1.0,
            rates: BTreeMap::new(),
            losses: [("discriminator/adv", 1.25), ("discriminator/total", 9.0), ("generator/adv", 0.5)]
                .map(|(name, value)| (name.to_string(), value))
                .into(),
            note: None,
        };
        let line = pace.line(&record, Goal::Steps(20));
        assert!(line.starts_with("step 12/20  0.19 kimg  "), "{line}");
        assert!(line.contains(" img/s  D adv 1.25  G adv 0.500  "), "{line}");
        assert!(line.contains("ETA ") && !line.contains('\n'), "{line}");
        assert!(!pace.due(), "no second line within a second");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.12345, 1.2345, -12.345, 123.45, 12345.6].map(short), ["0.123", "1.23", "-12.3", "123", "12346"]);
        assert_eq!(short(f64::NAN), "NaN");
    }

    #[test]
    fn durations_are_for_people() {
        let text = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!([text(8), text(245), text(11_525)], ["8 s", "4 min 5 s", "3 h 12 min"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_that_of_this_process() {
        // The block may lie where others have been: freed memory stays with the process.
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let found = memory().unwrap();
        let machine = std::fs::read_to_string("/proc/meminfo").unwrap();
        let kib: u64 = machine.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!((block.len() as u64..1024 * kib).contains(&found), "{found} of {kib} KiB");
    }
}
