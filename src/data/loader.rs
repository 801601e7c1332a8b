//! Batches in a seeded order, made ahead of time by threads, from a position that can be saved.
//!
//! The order of an epoch comes from the stream `data/<epoch>`, random changes from `augment/<epoch>/<place in the epoch>`:
//! a batch depends on data set, seed, batch size and position only, never on threads or on what was loaded before.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use candle_core::{Device, Tensor};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::batch::{Batch, push_planes};
use super::changes::{Changes, Flip, Jitter};
use super::dataset::Dataset;
use super::skeleton::{KeyPoint, Skeleton};
use crate::rng::{Seed, Stream};
use crate::{Error, Result};

/// How batches are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoaderOptions {
    /// Pictures per batch. The pictures left at the end of an epoch do not fill one and are not shown in that epoch.
    pub batch: usize,
    /// The seed of order and changes.
    pub seed: Seed,
    /// Threads that make batches ahead of time; 0 makes each one when it is asked for. Batches do not depend on it.
    pub threads: usize,
    /// Batches that are made ahead of time, when there are threads. At least one per thread.
    pub prefetch: usize,
    /// What is changed at random. Nothing by default: none of the papers on faces says it mirrors its pictures.
    pub changes: Changes,
}

impl Default for LoaderOptions {
    /// Batches of 64, seed 0, one thread, four batches ahead, no changes.
    fn default() -> Self {
        LoaderOptions { batch: 64, seed: Seed(0), threads: 1, prefetch: 4, changes: Changes::default() }
    }
}

/// A place in the endless sequence of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderPosition {
    /// Complete passes over the data set so far.
    pub epoch: u64,
    /// Pictures of this epoch that were shown so far.
    pub sample: u64,
}

/// An endless sequence of training batches. Dropping it ends its threads.
pub struct Loader {
    work: Arc<Work>,
    position: LoaderPosition,
    /// Batches under way, in order. Empty without threads.
    ahead: VecDeque<Receiver<Result<Batch>>>,
    /// Where the first batch that is not under way begins.
    planned: LoaderPosition,
    order: EpochOrder,
    pool: Option<Pool>,
}

/// What a batch is made from.
struct Work {
    dataset: Dataset,
    options: LoaderOptions,
}

struct Job {
    generation: u64,
    at: LoaderPosition,
    indices: Vec<usize>,
    reply: SyncSender<Result<Batch>>,
}

struct Pool {
    jobs: Option<Sender<Job>>,
    /// Grows when the loader moves or is dropped; jobs of an earlier generation are skipped.
    generation: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct EpochOrder {
    epoch: Option<u64>,
    order: Vec<usize>,
}

impl Loader {
    /// A loader at the beginning of epoch 0.
    ///
    /// # Errors
    /// A batch of no pictures, a data set with fewer pictures than one batch, or threads that cannot be started.
    pub fn new(dataset: &Dataset, options: LoaderOptions) -> Result<Loader> {
        if options.batch == 0 {
            return Err(Error::invalid("batch size", "0", "at least 1", ""));
        }
        if dataset.len() < options.batch {
            return Err(Error::invalid(
                format!("data set {}", dataset.name()),
                format!("{} pictures", dataset.len()),
                format!("at least one batch of {}", options.batch),
                "Use a smaller batch, more pictures, or another split.",
            ));
        }
        options.changes.check()?;
        if options.changes.other.is_some() && dataset.len() < 2 {
            let (what, found) = (format!("data set {}", dataset.name()), format!("{} pictures", dataset.len()));
            return Err(Error::invalid(what, found, "at least 2, for others beside each", ""));
        }
        let work = Arc::new(Work { dataset: dataset.clone(), options });
        let pool = if work.options.threads == 0 { None } else { Some(Pool::start(&work)?) };
        let start = LoaderPosition::default();
        let (ahead, order) = (VecDeque::new(), EpochOrder::default());
        Ok(Loader { work, position: start, ahead, planned: start, order, pool })
    }

    /// The next batch, on the CPU. The sequence never ends; every epoch has its own order.
    ///
    /// # Errors
    /// When a picture cannot be read or made. The position stays, so that the next call tries again.
    #[allow(clippy::should_implement_trait, reason = "an iterator ends, and yields no errors")]
    pub fn next(&mut self) -> Result<Batch> {
        let batch = match self.pool {
            None => {
                let indices = self.indices(self.position);
                self.work.batch(self.position, indices)
            }
            Some(_) => self.next_prefetched(),
        };
        match batch {
            Ok(batch) => {
                self.position = self.after(self.position);
                Ok(batch)
            }
            Err(error) => {
                self.restart();
                Err(error)
            }
        }
    }

    /// Where the next batch begins.
    pub fn position(&self) -> LoaderPosition {
        self.position
    }

    /// Goes to a place: the next batch is the one that a loader with the same data set, seed and batch size makes there.
    ///
    /// # Errors
    /// When the place is beyond the end of an epoch of this data set.
    pub fn seek(&mut self, position: &LoaderPosition) -> Result<()> {
        let length = self.work.dataset.len();
        if position.sample > length as u64 {
            let what = format!("position in data set {}", self.work.dataset.name());
            let hint = "The position was saved with a larger data set.";
            return Err(Error::invalid(
                what,
                format!("picture {}", position.sample),
                format!("at most {length}"),
                hint,
            ));
        }
        self.position = self.settle(*position);
        self.restart();
        Ok(())
    }

    /// Batches per epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.work.dataset.len() / self.work.options.batch
    }

    /// The data set.
    pub fn dataset(&self) -> &Dataset {
        &self.work.dataset
    }

    /// The options.
    pub fn options(&self) -> &LoaderOptions {
        &self.work.options
    }

    fn next_prefetched(&mut self) -> Result<Batch> {
        let depth = self.work.options.prefetch.max(self.work.options.threads);
        while self.ahead.len() < depth {
            let (reply, receiver) = sync_channel(1);
            let (at, indices) = (self.planned, self.indices(self.planned));
            self.pool.as_ref().ok_or_else(thread_died)?.send(at, indices, reply)?;
            self.planned = self.after(self.planned);
            self.ahead.push_back(receiver);
        }
        let first = self.ahead.pop_front().ok_or_else(thread_died)?;
        first.recv().map_err(|_| thread_died())?
    }

    /// Forgets what is under way.
    fn restart(&mut self) {
        if let Some(pool) = &self.pool {
            pool.generation.fetch_add(1, Ordering::Relaxed);
        }
        self.ahead.clear();
        self.planned = self.position;
    }

    fn indices(&mut self, at: LoaderPosition) -> Vec<usize> {
        let order = self.order.of(at.epoch, &self.work);
        let start = at.sample as usize;
        order[start..start + self.work.options.batch].to_vec()
    }

    fn after(&self, at: LoaderPosition) -> LoaderPosition {
        self.settle(LoaderPosition { sample: at.sample + self.work.options.batch as u64, ..at })
    }

    /// The place itself, or the beginning of the next epoch where no whole batch is left.
    fn settle(&self, at: LoaderPosition) -> LoaderPosition {
        if at.sample + self.work.options.batch as u64 <= self.work.dataset.len() as u64 {
            at
        } else {
            LoaderPosition { epoch: at.epoch + 1, sample: 0 }
        }
    }
}

impl EpochOrder {
    fn of(&mut self, epoch: u64, work: &Work) -> &[usize] {
        if self.epoch != Some(epoch) {
            let mut stream = work.options.seed.stream(&format!("data/{epoch}"));
            self.order = stream.permutation(work.dataset.len());
            self.epoch = Some(epoch);
        }
        &self.order
    }
}

impl Work {
    fn batch(&self, at: LoaderPosition, indices: Vec<usize>) -> Result<Batch> {
        let (count, size, width) = (indices.len(), self.dataset.size() as usize, self.dataset.tags().len());
        let mut pixels = Vec::with_capacity(count * 3 * size * size);
        let mut labels = Vec::with_capacity(count * width);
        let (mut points, mut source_points) = (Vec::new(), Vec::new());
        let (mut sources, mut others) = (Vec::new(), Vec::new());
        let Changes { flip, both, picture, source, other } = &self.options.changes;
        let posed = self.dataset.skeleton().filter(|_| self.options.changes.keeps_places());
        for (i, &index) in indices.iter().enumerate() {
            let name = format!("augment/{}/{}", at.epoch, at.sample + i as u64);
            // Made when the first number is drawn: often nothing is changed.
            let mut stream = LazyCell::new(|| self.options.seed.stream(&name));
            let flips = *flip != Flip::None && stream.chance(0.5);
            // Equal numbers for both pictures of a pair.
            let together = |picture| {
                changed(both, picture, &mut LazyCell::new(|| self.options.seed.stream(&format!("{name}/both"))))
            };
            let target = self.dataset.image(index)?;
            let shown = changed(picture, together(Cow::Borrowed(&target)), &mut stream);
            push_planes(self.sized(&shown, index)?, flips, &mut pixels);
            if self.dataset.has_sources() {
                let from = Cow::Owned(self.dataset.source_image(index)?);
                let from = changed(source, together(from), &mut stream);
                let flips = if *flip == Flip::Independent { stream.chance(0.5) } else { flips };
                push_planes(self.sized(&from, index)?, flips, &mut sources);
                if let (Some(skeleton), Some(pose)) = (posed, self.dataset.source_pose(index)?) {
                    source_points.extend(turned(skeleton, pose, flips));
                }
            }
            if let Some(jitter) = other {
                let other = Cow::Owned(self.other_than(index, &target, &mut stream)?);
                let other = changed(jitter, other, &mut stream);
                push_planes(self.sized(&other, index)?, *flip != Flip::None && stream.chance(0.5), &mut others);
            }
            if let Some(skeleton) = posed {
                points.extend(turned(skeleton, self.dataset.pose(index)?, flips));
            }
            labels.extend(self.dataset.labels(index)?.values);
        }
        let images = |pixels: Vec<f32>| Tensor::from_vec(pixels, (count, 3, size, size), &Device::Cpu);
        let labels = if width == 0 { None } else { Some(Tensor::from_vec(labels, (count, width), &Device::Cpu)?) };
        // Those of sources are known for all or for none.
        let places = |points: Vec<f32>| -> Result<Option<Tensor>> {
            match posed {
                Some(skeleton) if points.len() == count * skeleton.len() * 3 => {
                    Ok(Some(Tensor::from_vec(points, (count, skeleton.len(), 3), &Device::Cpu)?))
                }
                _ => Ok(None),
            }
        };
        let (points, source_points) = (places(points)?, places(source_points)?);
        let sources = if self.dataset.has_sources() { Some(images(sources)?) } else { None };
        let others = if other.is_some() { Some(images(others)?) } else { None };
        Ok(Batch { images: images(pixels)?, labels, points, sources, source_points, others, indices })
    }

    /// Another picture of the data set, at random among those that differ from this one. In a data set of equal pictures
    /// it is an equal one, after as many tries as would miss a different one only by a strange chance.
    fn other_than(&self, index: usize, picture: &RgbImage, stream: &mut Stream) -> Result<RgbImage> {
        const TRIES: usize = 64;
        let mut equal = None;
        for _ in 0..TRIES {
            let drawn = stream.below(self.dataset.len());
            if drawn != index {
                let other = self.dataset.image(drawn)?;
                if other != *picture {
                    return Ok(other);
                }
                equal = Some(other);
            }
        }
        Ok(equal.unwrap_or_else(|| picture.clone()))
    }

    /// The picture, if it has the size of the data set.
    fn sized<'a>(&self, image: &'a RgbImage, index: usize) -> Result<&'a RgbImage> {
        let size = self.dataset.size();
        if image.dimensions() == (size, size) {
            return Ok(image);
        }
        let found = [image.height() as usize, image.width() as usize];
        Err(Error::shape(format!("picture {index}"), &found, format!("[{size}, {size}]")))
    }
}

/// A pose's numbers, mirrored where the picture is.
fn turned(skeleton: &Skeleton, pose: Vec<KeyPoint>, flips: bool) -> Vec<f32> {
    if flips { skeleton.mirrored(&pose, 1.0) } else { pose }.into_flattened()
}

/// The picture with random changes; the very picture, and no number drawn, where there are none.
fn changed<'a, F: FnOnce() -> Stream>(
    jitter: &Jitter,
    picture: Cow<'a, RgbImage>,
    stream: &mut LazyCell<Stream, F>,
) -> Cow<'a, RgbImage> {
    if *jitter == Jitter::default() { picture } else { Cow::Owned(jitter.apply(&picture, stream)) }
}

impl Pool {
    fn start(work: &Arc<Work>) -> Result<Pool> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let generation = Arc::new(AtomicU64::new(0));
        let mut pool = Pool { jobs: Some(jobs), generation: Arc::clone(&generation), threads: Vec::new() };
        for number in 0..work.options.threads {
            let (work, queue, generation) = (Arc::clone(work), Arc::clone(&queue), Arc::clone(&generation));
            let thread = std::thread::Builder::new().name(format!("loader-{number}"));
            let handle = thread.spawn(move || serve(&work, &queue, &generation)).map_err(|source| {
                let expected = "as many threads as asked for";
                Error::invalid("loader threads", source.to_string(), expected, "Use fewer threads; 0 needs none.")
            })?;
            pool.threads.push(handle);
        }
        Ok(pool)
    }

    fn send(&self, at: LoaderPosition, indices: Vec<usize>, reply: SyncSender<Result<Batch>>) -> Result<()> {
        let job = Job { generation: self.generation.load(Ordering::Relaxed), at, indices, reply };
        let jobs = self.jobs.as_ref().ok_or_else(thread_died)?;
        jobs.send(job).map_err(|_| thread_died())
    }
}

/// Makes batches until the loader is dropped.
fn serve(work: &Work, queue: &Mutex<Receiver<Job>>, generation: &AtomicU64) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if job.generation == generation.load(Ordering::Relaxed) {
            // A loader that has moved on meanwhile has dropped the other end; the batch is then not wanted.
            let _ = job.reply.send(work.batch(job.at, job.indices));
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked was reported by `next`.
            let _ = thread.join();
        }
    }
}

fn thread_died() -> Error {
    let expected = "all of them running";
    Error::invalid("loader threads", "one that ended by a panic", expected, "Load with threads = 0 to see the reason.")
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LoaderPosition { epoch, sample } = self.position;
        write!(f, "loader of {:?}, {:?}, epoch {epoch}, picture {sample}", self.work.dataset, self.work.options)
    }
}
