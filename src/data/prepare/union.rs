//! Sets that grow together: union by the smaller number, with shortened ways to the root.

/// A division of `0..n` into groups.
pub(super) struct Union {
    parents: Vec<usize>,
}

impl Union {
    /// Everything by itself.
    pub fn new(n: usize) -> Union {
        Union { parents: (0..n).collect() }
    }

    /// The smallest member of the group of `i`.
    pub fn root(&mut self, mut i: usize) -> usize {
        while self.parents[i] != i {
            self.parents[i] = self.parents[self.parents[i]];
            i = self.parents[i];
        }
        i
    }

    /// Makes the groups of two members one.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }

    /// The smallest member of each one's group as it is now.
    pub fn snapshot(&mut self) -> Vec<usize> {
        (0..self.parents.len()).map(|i| self.root(i)).collect()
    }

    /// The smallest member of each one's group.
    pub fn roots(mut self) -> Vec<usize> {
        self.snapshot()
    }

    /// Numbers of the groups of more than one, from 0 in the order of their first members; none for what is alone.
    pub fn numbered(self) -> Vec<Option<usize>> {
        let roots = self.roots();
        let mut sizes = vec![0usize; roots.len()];
        roots.iter().for_each(|&root| sizes[root] += 1);
        let firsts: Vec<usize> = (0..roots.len()).filter(|&i| sizes[i] > 1).collect();
        roots.iter().map(|root| firsts.binary_search(root).ok()).collect()
    }
}
