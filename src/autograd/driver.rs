//! The walk from the loss to the variables.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, TensorId};

use super::node::{Edge, Node, Saved, arriving, with_recording};
use super::wanted::Wanted;
use crate::Result;
use crate::ops::arithmetic::add;
use crate::ops::cast::widen_all;

/// What a walk is for.
#[derive(Default)]
pub(super) struct Order<'a> {
    /// The gradient that reaches the tensor; ones, if none is given.
    pub upstream: Option<&'a Tensor>,
    /// The variables whose gradients are asked for; all, if none are named.
    pub variables: Option<&'a [&'a Tensor]>,
    pub keeps_graph: bool,
}

/// The gradients of Σ `y`·upstream. Nodes that nobody else holds are freed one by one as the walk passes them.
pub(super) fn run(y: Tensor, order: Order) -> Result<GradStore> {
    let Order { upstream, variables, keeps_graph } = order;
    let start = Edge::of(&y);
    let wanted = variables.map(|variables| Wanted::new(variables, &start));
    let mut walk =
        Walk { keeps_graph, wanted, waiting: BTreeMap::new(), rounded: Vec::new(), found: GradStore::default() };
    with_recording(keeps_graph, || {
        match (start, upstream) {
            (edge, Some(upstream)) => walk.deliver(&edge, upstream.contiguous()?)?,
            (Edge::Candle(y), None) => walk.candle(&y)?,
            (edge, None) => walk.deliver(&edge, y.ones_like()?.contiguous()?)?,
        }
        drop(y);
        // Everything that uses a node's result has a larger number, so its gradient is complete when its turn comes.
        while let Some((_, (node, upstream))) = walk.waiting.pop_last() {
            let saved = Saved::new(&node, walk.wanted.as_ref(), keeps_graph);
            let gradients = node.derivative.backward(&saved, &upstream)?;
            drop(upstream);
            for (edge, gradient) in node.edges.iter().zip(gradients) {
                if let Some(gradient) = gradient {
                    walk.deliver(edge, gradient)?;
                }
            }
        }
        walk.widen()?;
        Ok(walk.found)
    })
}

struct Walk {
    keeps_graph: bool,
    wanted: Option<Wanted>,
    /// Gradients of results whose turn has not come, by the nodes' numbers.
    waiting: BTreeMap<u64, (Arc<Node>, Tensor)>,
    /// Gradients of rounded copies of variables, one for each use of a copy, in its type.
    rounded: Vec<(Arc<Node>, Tensor)>,
    /// Gradients of variables.
    found: GradStore,
}

impl Walk {
    fn deliver(&mut self, edge: &Edge, gradient: Tensor) -> Result<()> {
        if self.wanted.as_ref().is_some_and(|wanted| !wanted.leads(edge)) {
            return Ok(());
        }
        let gradient = if self.keeps_graph { gradient } else { gradient.detach() };
        match edge {
            Edge::Nowhere => Ok(()),
            Edge::Variable(variable) => self.found(variable.id(), gradient),
            Edge::Node(node) => self.wait(node, gradient),
            Edge::Candle(tensor) => {
                let gradient = gradient.contiguous()?;
                self.candle(&tensor.apply_op1(Seed { gradient })?)
            }
        }
    }

    fn found(&mut self, id: TensorId, gradient: Tensor) -> Result<()> {
        let total = match self.found.get_id(id) {
            Some(before) => add(before, &gradient)?,
            None => gradient,
        };
        self.found.insert_id(id, total);
        Ok(())
    }

    /// Passes the gradients of rounded copies on to the variables: converted all at once, then added in f32.
    fn widen(&mut self) -> Result<()> {
        let (nodes, gradients): (Vec<_>, Vec<_>) = std::mem::take(&mut self.rounded).into_iter().unzip();
        for (node, gradient) in nodes.iter().zip(widen_all(&gradients)?) {
            if let Some(variable) = node.rounded_variable() {
                self.found(variable.id(), gradient)?;
            }
        }
        Ok(())
    }

    fn wait(&mut self, node: &Arc<Node>, gradient: Tensor) -> Result<()> {
        if !self.keeps_graph && node.rounded_variable().is_some() {
            self.rounded.push((node.clone(), gradient));
            return Ok(());
        }
        let total = match self.waiting.remove(&node.sequence) {
            Some((_, before)) => add(&before, &gradient)?,
            None => gradient,
        };
        self.waiting.insert(node.sequence, (node.clone(), total));
        Ok(())
    }

    /// Lets candle walk from `root` to variables and to nodes.
    fn candle(&mut self, root: &Tensor) -> Result<()> {
        let (gradients, arrived) = arriving(|| root.backward());
        let gradients = gradients?;
        let ids: Vec<TensorId> = gradients.get_ids().copied().collect();
        for id in ids {
            let asked = self.wanted.as_ref().is_none_or(|wanted| wanted.is(id));
            if asked && let Some(gradient) = gradients.get_id(id) {
                self.found(id, gradient.clone())?;
            }
        }
        arrived.iter().try_for_each(|(node, gradient)| self.wait(node, gradient.clone()))
    }
}

/// A scalar whose gradient with respect to its operand is `gradient`: starts candle's backward pass in the middle of a
/// graph.
struct Seed {
    gradient: Tensor,
}

impl CustomOp1 for Seed {
    fn name(&self) -> &'static str {
        "gradient_seed"
    }

    fn cpu_fwd(&self, operand: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let zero = match operand {
            CpuStorage::F64(_) => CpuStorage::F64(vec![0.0]),
            _ => CpuStorage::F32(vec![0.0]),
        };
        Ok((zero, Shape::from(())))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        operand: &candle_core::CudaStorage,
        _: &Layout,
    ) -> candle_core::Result<(candle_core::CudaStorage, Shape)> {
        let zero = operand.device.alloc_zeros::<f32>(1)?;
        Ok((candle_core::CudaStorage::wrap_cuda_slice(zero, operand.device.clone()), Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(self.gradient.clone()))
    }
}
