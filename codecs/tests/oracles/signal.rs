//! What is encoded in the comparisons: 16 kHz signals from tame to brutal, the same in each run.

/// A generator good enough for noise (xorshift).
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Noise {
        Noise(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

pub fn all() -> Vec<(&'static str, Vec<i16>)> {
    vec![
        ("silence", vec![0; 3_200]),
        ("tones", tones()),
        ("sweep", sweep()),
        ("voiced bursts", bursts()),
        ("noise at full scale", noise(32_768.0)),
        ("soft noise", noise(200.0)),
        ("square waves at full scale", squares()),
    ]
}

/// Octets that no encoder would send in this order.
pub fn random_octets() -> Vec<u8> {
    let mut noise = Noise::new(7);
    (0..32_000).map(|_| (noise.next() >> 32) as u8).collect()
}

fn sine(frequency: f64, n: usize) -> f64 {
    (std::f64::consts::TAU * frequency * n as f64 / 16_000.0).sin()
}

fn tones() -> Vec<i16> {
    (0..16_000).map(|n| ((sine(697.0, n) + sine(1_477.0, n) + sine(5_100.0, n)) * 9_000.0) as i16).collect()
}

fn sweep() -> Vec<i16> {
    (0..32_000).map(|n| (sine(n as f64 / 8.0, n) * 20_000.0) as i16).collect()
}

fn bursts() -> Vec<i16> {
    let mut noise = Noise::new(3);
    let voice = |n: usize| (1..30).map(|k| sine(120.0 * f64::from(k), n) / f64::from(k)).sum::<f64>();
    (0..48_000)
        .map(|n| {
            let envelope = (sine(1.7, n)).max(0.0) * 11_000.0;
            let breath = ((noise.next() >> 40) % 200) as f64 - 100.0;
            (voice(n) * envelope + breath) as i16
        })
        .collect()
}

fn noise(peak: f64) -> Vec<i16> {
    let mut noise = Noise::new(1);
    (0..32_000).map(|_| ((noise.next() >> 32) as f64 / f64::from(1u32 << 31) * peak - peak) as i16).collect()
}

fn squares() -> Vec<i16> {
    (0..32_000).map(|n| if (n / (1 + n / 1_000)) % 2 == 0 { i16::MAX } else { i16::MIN }).collect()
}
