//! Which parts of a graph lead to the variables whose gradients are asked for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use candle_core::{Tensor, TensorId};

use super::node::{Edge, Node};

pub(super) struct Wanted {
    variables: HashSet<TensorId>,
    /// Whether a node leads to one of them, by its number.
    nodes: HashMap<u64, bool>,
}

impl Wanted {
    /// Looks at everything that `start` depends on.
    pub fn new(variables: &[&Tensor], start: &Edge) -> Wanted {
        let variables = variables.iter().map(|variable| variable.id()).collect();
        let mut wanted = Wanted { variables, nodes: HashMap::new() };
        // A stack in place of recursion: a node is judged when all that it depends on has been.
        let mut open: Vec<&Arc<Node>> = node(start).into_iter().collect();
        while let Some(&current) = open.last() {
            let before = open.len();
            open.extend(
                current.edges.iter().filter_map(node).filter(|next| !wanted.nodes.contains_key(&next.sequence)),
            );
            if open.len() == before {
                open.pop();
                let leads = current.edges.iter().any(|edge| wanted.leads(edge));
                wanted.nodes.insert(current.sequence, leads);
            }
        }
        wanted
    }

    pub fn is(&self, variable: TensorId) -> bool {
        self.variables.contains(&variable)
    }

    /// Whether a gradient that goes there can reach a wanted variable. Of candle's part of a graph that is not known,
    /// so it counts as leading there.
    pub fn leads(&self, edge: &Edge) -> bool {
        match edge {
            Edge::Nowhere => false,
            Edge::Variable(variable) => self.is(variable.id()),
            Edge::Node(node) => self.nodes.get(&node.sequence).copied().unwrap_or(true),
            Edge::Candle(_) => true,
        }
    }
}

fn node(edge: &Edge) -> Option<&Arc<Node>> {
    match edge {
        Edge::Node(node) => Some(node),
        _ => None,
    }
}
