//! NumPy's legacy random numbers. Published evaluation scripts draw subsets with them, and the same subsets give the same
//! number as everybody else's; published figures name latents by their seeds, and the same seeds give the same latents.

/// `numpy.random.RandomState` with an integer seed: MT19937 (M. Matsumoto and T. Nishimura 1998).
#[derive(Clone, Debug)]
pub struct RandomState {
    words: [u32; WORDS],
    next: usize,
    /// The second number of the last pair of normal ones.
    normal: Option<f64>,
}

const WORDS: usize = 624;
const MIDDLE: usize = 397;

impl RandomState {
    /// `RandomState(seed)`.
    pub fn new(seed: u32) -> RandomState {
        let mut words = [seed; WORDS];
        for i in 1..WORDS {
            let before = words[i - 1];
            words[i] = (before ^ (before >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        RandomState { words, next: WORDS, normal: None }
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

    /// `random_sample()`: uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * f64::from(1 << 26) + f64::from(low)) / (1u64 << 53) as f64
    }

    /// `randn()`: standard normal, by pairs (G. Marsaglia and T. Bray 1964, the polar method).
    pub fn normal(&mut self) -> f64 {
        if let Some(normal) = self.normal.take() {
            return normal;
        }
        loop {
            let [a, b] = [0; 2].map(|_| 2.0 * self.uniform() - 1.0);
            let square = a * a + b * b;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.normal = Some(factor * a);
                return factor * b;
            }
        }
    }

    /// `randn(n)`: the latents of published figures are `RandomState(seed).randn(n)`.
    pub fn normals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.normal()).collect()
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
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
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

    /// Printed by NumPy 2.4.6: the first and the last number of `RandomState(seed).randn(1, 512)`, and the one after.
    #[test]
    fn normals_are_numpys() {
        let printed = [
            (0, [1.764_052_345_967_664, 0.400_157_208_367_223_3], 1.374_964_066_392_989_8, -1.332_211_654_594_501_7),
            (5, [0.441_227_486_885_041_03, -0.330_870_151_894_087_64], 1.134_418_987_101_406_3, 1.206_574_336_021_103),
            (
                3291,
                [0.288_071_064_080_707_6, 0.350_707_660_921_197_93],
                -0.045_739_028_338_694_6,
                -0.776_562_887_812_065_5,
            ),
        ];
        for (seed, first, last, next) in printed {
            let mut state = RandomState::new(seed);
            let latent = state.normals(512);
            let found = [latent[0], latent[1], latent[511], state.normal()];
            for (found, expected) in found.into_iter().zip([first[0], first[1], last, next]) {
                // The logarithm may differ in its last digit between systems.
                assert!((found - expected).abs() < 1e-14, "seed {seed}: {found}, expected {expected}");
            }
        }
    }

    /// As above: `random_sample()` twice; and after an odd number of normal ones, one of which is kept, a permutation.
    #[test]
    fn numbers_of_all_kinds_come_from_one_sequence() {
        let mut state = RandomState::new(5);
        assert_eq!([state.uniform(), state.uniform()], [0.221_993_171_089_739_48, 0.870_732_306_177_376_4]);
        let mut state = RandomState::new(5);
        state.normals(3);
        assert_eq!(state.permutation(10), [2, 5, 6, 3, 8, 1, 4, 7, 9, 0]);
        assert!((state.normal() - -0.252_092_129_603_076_9).abs() < 1e-14);
    }
}
