//! The numbers of Python's `random.Random(SEED)`: MT19937, seeded by an array of one word, so that generated upgrades are the
//! very ones that the reference figures are of.

const WORDS: usize = 624;

/// The generator.
pub struct Python {
    state: [u32; WORDS],
    at: usize,
    /// The second of two normal numbers that are made together.
    spare: Option<f64>,
}

impl Python {
    pub fn new(seed: u32) -> Self {
        let mut state = [0_u32; WORDS];
        state[0] = 19_650_218;
        for at in 1..WORDS {
            let before = state[at - 1];
            state[at] = (before ^ (before >> 30)).wrapping_mul(1_812_433_253).wrapping_add(index(at));
        }
        let mut at = 1;
        for _ in 0..WORDS {
            let before = state[at - 1];
            let mixed = state[at] ^ (before ^ (before >> 30)).wrapping_mul(1_664_525);
            state[at] = mixed.wrapping_add(seed);
            at = next(&mut state, at);
        }
        for _ in 1..WORDS {
            let before = state[at - 1];
            let mixed = state[at] ^ (before ^ (before >> 30)).wrapping_mul(1_566_083_941);
            state[at] = mixed.wrapping_sub(index(at));
            at = next(&mut state, at);
        }
        state[0] = 0x8000_0000;
        Self { state, at: WORDS, spare: None }
    }

    fn word(&mut self) -> u32 {
        if self.at == WORDS {
            for at in 0..WORDS {
                let y = (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % WORDS] & 0x7fff_ffff);
                let twist = if y & 1 == 0 { 0 } else { 0x9908_b0df };
                self.state[at] = self.state[(at + 397) % WORDS] ^ (y >> 1) ^ twist;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `random()`: from 0 to below 1.
    fn random(&mut self) -> f64 {
        let (a, b) = (self.word() >> 5, self.word() >> 6);
        (f64::from(a) * 67_108_864.0 + f64::from(b)) / 9_007_199_254_740_992.0
    }

    fn below(&mut self, end: u32) -> u32 {
        let bits = 32 - end.leading_zeros();
        loop {
            let drawn = self.word() >> (32 - bits);
            if drawn < end {
                return drawn;
            }
        }
    }

    /// `randint(first, last)`.
    pub fn between(&mut self, first: u32, last: u32) -> u64 {
        u64::from(first + self.below(last - first + 1))
    }

    /// `choice(of)`.
    pub fn choice<const N: usize>(&mut self, of: [u64; N]) -> u64 {
        let drawn = self.below(index(N));
        of[usize::try_from(drawn).unwrap()]
    }

    /// `uniform(from, to)`.
    pub fn uniform(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.random()
    }

    /// `gauss(0, sigma)`.
    pub fn gauss(&mut self, sigma: f64) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare * sigma;
        }
        let angle = self.random() * std::f64::consts::TAU;
        let length = (-2.0 * (1.0 - self.random()).ln()).sqrt();
        self.spare = Some(angle.sin() * length);
        angle.cos() * length * sigma
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap()
}

/// The next place; the first stands for the last.
fn next(state: &mut [u32; WORDS], at: usize) -> usize {
    if at + 1 < WORDS {
        return at + 1;
    }
    state[0] = state[WORDS - 1];
    1
}

/// A whole number as a float; all of them here are small.
pub fn float(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap())
}

/// The whole part.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths are small and not negative"
)]
pub fn whole(n: f64) -> u64 {
    n as u64
}
