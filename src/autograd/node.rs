//! Nodes of the graph, and how tensors find theirs.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::wanted::Wanted;
use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Device, DeviceLocation, Layout, Shape, Storage, Tensor, TensorId, Var,
};

/// The derivative of one operation.
pub(crate) trait Derivative: Send + Sync {
    /// What messages call the operation.
    fn name(&self) -> &'static str;

    /// The gradients of the operands from that of the result.
    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<Vec<Option<Tensor>>>;

    /// The operation once more on the same operands, recorded.
    fn again(&self, operands: &[Tensor]) -> candle_core::Result<Tensor>;

    /// Whether the result is the one operand in another type, so that all gradients that go to variables in this way
    /// can be converted together.
    fn converts(&self) -> bool {
        false
    }
}

/// One application of an operation.
pub(super) struct Node {
    /// Nodes are numbered as they are made, so that a node's operands have smaller numbers.
    pub sequence: u64,
    pub derivative: Box<dyn Derivative>,
    pub edges: Vec<Edge>,
    shapes: Vec<Shape>,
    dtypes: Vec<DType>,
    /// Operands that the derivative reads, with their graphs.
    operands: Vec<Option<Tensor>>,
    /// The result if the derivative reads it, without a graph: a node must not own itself.
    output: OnceLock<Tensor>,
    id: OnceLock<TensorId>,
}

/// Where the gradient of an operand goes. A node, unlike its tensor, does not hold the operand's numbers in memory.
pub(super) enum Edge {
    Nowhere,
    Node(Arc<Node>),
    Variable(Tensor),
    Candle(Tensor),
}

impl Edge {
    pub fn of(tensor: &Tensor) -> Edge {
        if tensor.is_variable() {
            Edge::Variable(tensor.clone())
        } else if !tensor.track_op() {
            Edge::Nowhere
        } else if let Some(node) = nodes().get(&tensor.id()).and_then(Weak::upgrade) {
            Edge::Node(node)
        } else {
            Edge::Candle(tensor.clone())
        }
    }
}

/// The nodes of living tensors.
fn nodes() -> MutexGuard<'static, HashMap<TensorId, Weak<Node>>> {
    static NODES: LazyLock<Mutex<HashMap<TensorId, Weak<Node>>>> = LazyLock::new(Mutex::default);
    NODES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(id) = self.id.get() {
            nodes().remove(id);
        }
        self.unlink();
    }
}

impl Node {
    /// The variable of which the result is a copy in bf16, if it is one.
    pub fn rounded_variable(&self) -> Option<&Tensor> {
        match self.edges.as_slice() {
            [Edge::Variable(variable)] if self.derivative.converts() && variable.dtype() == DType::F32 => {
                Some(variable)
            }
            _ => None,
        }
    }

    /// Drops the operands' nodes one after the other: a chain of thousands would otherwise be dropped by recursion.
    fn unlink(&mut self) {
        let mut edges = std::mem::take(&mut self.edges);
        self.operands.clear();
        while let Some(edge) = edges.pop() {
            if let Edge::Node(node) = edge
                && let Some(mut node) = Arc::into_inner(node)
            {
                edges.append(&mut node.edges);
            }
        }
    }
}

/// What a derivative may read of its operation.
pub(crate) struct Saved<'a> {
    node: &'a Node,
    wanted: Option<&'a Wanted>,
    keeps_graph: bool,
}

impl<'a> Saved<'a> {
    pub(super) fn new(node: &'a Node, wanted: Option<&'a Wanted>, keeps_graph: bool) -> Saved<'a> {
        Saved { node, wanted, keeps_graph }
    }

    /// Whether the gradients will be differentiated again: then they must be made of recorded operations, else a
    /// fused kernel will do.
    pub fn keeps_graph(&self) -> bool {
        self.keeps_graph
    }

    /// Whether operand `i` depends on a variable whose gradient is asked for.
    pub fn needs(&self, i: usize) -> bool {
        let edge = &self.node.edges[i];
        self.wanted.map_or(!matches!(edge, Edge::Nowhere), |wanted| wanted.leads(edge))
    }

    /// The gradient of operand `i`, unless nobody needs it.
    pub fn wanted(
        &self,
        i: usize,
        gradient: impl FnOnce() -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Option<Tensor>> {
        if self.needs(i) { gradient().map(Some) } else { Ok(None) }
    }

    /// The shape of operand `i`.
    pub fn shape(&self, i: usize) -> &Shape {
        &self.node.shapes[i]
    }

    /// The type of operand `i`, which its gradient has too.
    pub fn dtype(&self, i: usize) -> DType {
        self.node.dtypes[i]
    }

    /// Operand `i`, which the operation has said it saves.
    pub fn operand(&self, i: usize) -> candle_core::Result<&Tensor> {
        match &self.node.operands[i] {
            Some(operand) => Ok(operand),
            None => candle_core::bail!("{}: operand {i} was not saved", self.node.derivative.name()),
        }
    }

    /// The result, which the operation has said it saves. It is a function of the operands only when the graph of the
    /// gradients is kept.
    pub fn output(&self) -> candle_core::Result<Tensor> {
        if self.keeps_graph && self.node.operands.iter().all(Option::is_some) {
            let operands: Vec<Tensor> = self.node.operands.iter().flatten().cloned().collect();
            return self.node.derivative.again(&operands);
        }
        match self.node.output.get() {
            Some(output) => Ok(output.clone()),
            None => candle_core::bail!("{}: the result was not saved", self.node.derivative.name()),
        }
    }
}

/// Gradients of nodes' results.
type Arrivals = Vec<(Arc<Node>, Tensor)>;

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
    /// Gradients that candle's backward pass brought to our nodes, while ours is running.
    static ARRIVED: RefCell<Option<Arrivals>> = const { RefCell::new(None) };
}

/// Whether operations on this thread join the graph: always, but inside a backward pass that keeps no graph.
pub(crate) fn is_recording() -> bool {
    RECORDING.get()
}

/// Runs `work` with recording switched to `on`.
pub(super) fn with_recording<R>(on: bool, work: impl FnOnce() -> R) -> R {
    let _restored = Restored(RECORDING.replace(on));
    work()
}

struct Restored(bool);

impl Drop for Restored {
    fn drop(&mut self) {
        RECORDING.set(self.0);
    }
}

/// Runs `work`, a backward pass of candle, and returns the gradients that it brought to our nodes.
pub(super) fn arriving<R>(work: impl FnOnce() -> R) -> (R, Arrivals) {
    let before = ARRIVED.replace(Some(Vec::new()));
    let result = work();
    (result, ARRIVED.replace(before).unwrap_or_default())
}

/// What the derivative of an operation of `N` operands reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saves<const N: usize> {
    pub operands: [bool; N],
    pub output: bool,
}

impl<const N: usize> Saves<N> {
    /// Shapes at most.
    pub const NOTHING: Saves<N> = Saves { operands: [false; N], output: false };
    /// All operands.
    pub const OPERANDS: Saves<N> = Saves { operands: [true; N], output: false };
    /// The result alone.
    pub const OUTPUT: Saves<N> = Saves { operands: [false; N], output: true };
    /// All operands and the result.
    pub const ALL: Saves<N> = Saves { operands: [true; N], output: true };
}

/// Makes the tensor of an operation's result, with its node if an operand leads to a variable.
pub(crate) fn record<const N: usize>(
    storage: Storage,
    shape: Shape,
    operands: [&Tensor; N],
    saves: Saves<N>,
    derivative: impl FnOnce() -> Box<dyn Derivative>,
) -> candle_core::Result<Tensor> {
    static SEQUENCE: AtomicU64 = AtomicU64::new(0);
    if !is_recording() || !operands.iter().any(|operand| operand.track_op()) {
        return Ok(Tensor::from_storage(storage, shape, BackpropOp::none(), false));
    }
    let node = Arc::new(Node {
        sequence: SEQUENCE.fetch_add(1, Ordering::Relaxed),
        derivative: derivative(),
        edges: operands.iter().map(|operand| Edge::of(operand)).collect(),
        shapes: operands.iter().map(|operand| operand.shape().clone()).collect(),
        dtypes: operands.iter().map(|operand| operand.dtype()).collect(),
        operands: operands.iter().zip(saves.operands).map(|(&operand, saved)| saved.then(|| operand.clone())).collect(),
        output: OnceLock::new(),
        id: OnceLock::new(),
    });
    let token = token(operands[0].device())?;
    let result = Mutex::new(Some((storage, shape)));
    let tensor = token.apply_op1(Recorded { node: node.clone(), result })?;
    nodes().insert(tensor.id(), Arc::downgrade(&node));
    let _ = node.id.set(tensor.id());
    if saves.output {
        let _ = node.output.set(tensor.detach());
    }
    Ok(tensor)
}

/// A variable that stands for the operands in candle's graph, so that the result is tracked there and a backward pass
/// of candle stops behind it. One per device, since candle runs an operation where its operand lies.
fn token(device: &Device) -> candle_core::Result<Tensor> {
    thread_local!(static TOKENS: RefCell<HashMap<DeviceLocation, Tensor>> = RefCell::default());
    TOKENS.with_borrow_mut(|tokens| match tokens.entry(device.location()) {
        Entry::Occupied(token) => Ok(token.get().clone()),
        Entry::Vacant(place) => Ok(place.insert(Var::zeros((), DType::F32, device)?.into_inner()).clone()),
    })
}

/// How candle sees one application of an operation: as a function of the token.
struct Recorded {
    node: Arc<Node>,
    /// The result, which is there already and which candle takes once.
    result: Mutex<Option<(Storage, Shape)>>,
}

impl Recorded {
    fn take(&self) -> candle_core::Result<(Storage, Shape)> {
        match self.result.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(result) => Ok(result),
            None => candle_core::bail!("{}: the result was taken before", self.name()),
        }
    }
}

impl CustomOp1 for Recorded {
    fn name(&self) -> &'static str {
        self.node.derivative.name()
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        match self.take()? {
            (Storage::Cpu(storage), shape) => Ok((storage, shape)),
            _ => candle_core::bail!("{}: the result is not on the CPU", self.name()),
        }
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> candle_core::Result<(CudaStorage, Shape)> {
        match self.take()? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => candle_core::bail!("{}: the result is not on the GPU", self.name()),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, upstream: &Tensor) -> candle_core::Result<Option<Tensor>> {
        ARRIVED.with_borrow_mut(|arrived| match arrived {
            Some(arrived) => {
                arrived.push((self.node.clone(), upstream.clone()));
                Ok(None)
            }
            None => candle_core::bail!(
                "{}: candle's backward cannot go through this operation; write tachie::autograd::backward(&loss)? \
                 in place of loss.backward()?",
                self.name()
            ),
        })
    }
}
