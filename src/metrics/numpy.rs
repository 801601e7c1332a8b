//! NumPy's legacy random numbers, as far as published evaluation scripts draw subsets with them: the same subsets give
//! the same number as everybody else's.

/// `numpy.random.RandomState` with an integer seed: MT19937 (M. Matsumoto and T. Nishimura 1998).
pub(crate) struct RandomState {
    words: [u32; WORDS],
    next: usize,
}

const WORDS: usize = 624;
const MIDDLE: usize = 397;

impl RandomState {
    pub(crate) fn new(seed: u32) -> RandomState {
        let mut words = [seed; WORDS];
        for i in 1..WORDS {
            let before = words[i - 1];
            words[i] = (before ^ (before >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        RandomState { words, next: WORDS }
    }

    fn refill(&mut self) {
        for i in 0..WORDS {
            let joined = (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % WORDS] & 0x7fff_ffff);
            let twisted = (joined >> 1) ^ if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + MIDDLE) % WORDS] ^ twisted;
        }
        self.next = 0;
    }

    fn word(&mut self) -> u32 {
        if self.next == WORDS {
            self.refill();
        }
        let mut word = self.words[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// Uniform in 0..=largest: bits that do not fit are drawn again.
    fn up_to(&mut self, largest: usize) -> usize {
        let mask = u32::MAX.checked_shr((largest as u32).leading_zeros()).unwrap_or(0);
        loop {
            let drawn = (self.word() & mask) as usize;
            if drawn <= largest {
                return drawn;
            }
        }
    }

    /// `permutation(n)`: 0..n in random order. `choice(n, m, replace=False)` is its first `m` numbers. `n` is at most
    /// 2³², far above what any set of pictures holds.
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            let other = self.up_to(i);
            order.swap(i, other);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by NumPy 2.4.6.
    #[test]
    fn permutations_are_numpys() {
        let mut state = RandomState::new(2020);
        assert_eq!(state.permutation(10), [2, 4, 9, 1, 5, 7, 6, 3, 8, 0]);
        let long = state.permutation(1000);
        assert_eq!(long[..8], [358, 763, 430, 530, 677, 107, 127, 935]);
        let mut sorted = long;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
    }
}
