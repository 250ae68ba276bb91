//! Comfort noise (RFC 3389): what a pause sounds like, in a few bytes, so that the line doesn't seem dead.

/// Reflection coefficients that are made of a pause, and that are heeded in a payload; any more are passed over.
pub const ORDER: usize = 10;

/// The longest payload that is made, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 1 + ORDER;

/// The level and the colour of a noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour {
    /// In dB below the loudest square wave, 0 to 127 (RFC 3389 §3.1).
    pub below_overload_db: u8,
    /// The lattice filter's coefficients, between -1 and 1; zeros for white noise (§3.2).
    reflections: [f32; ORDER],
}

impl Colour {
    pub fn white(below_overload_db: u8) -> Colour {
        Colour { below_overload_db: below_overload_db.min(127), reflections: [0.0; ORDER] }
    }

    /// Reads a payload; none for an empty one.
    pub fn read(payload: &[u8]) -> Option<Colour> {
        let (&level, rest) = payload.split_first()?;
        let mut colour = Colour::white(level & 0x7F);
        for (reflection, &code) in colour.reflections.iter_mut().zip(rest) {
            // §3.2: 255 isn't used; it is taken as its neighbour.
            *reflection = f32::from(i16::from(code.min(254)) - 127) * QUANTUM;
        }
        Some(colour)
    }

    /// Writes the payload, and returns its length: coefficients that are zero at the end are left out.
    pub fn write(&self, out: &mut [u8; MAX_PAYLOAD_BYTES]) -> usize {
        out[0] = self.below_overload_db.min(127);
        let mut length = 1;
        for (n, reflection) in self.reflections.iter().enumerate() {
            let code = (reflection / QUANTUM).round().clamp(-127.0, 127.0) as i16 + 127;
            out[1 + n] = code as u8;
            if code != 127 {
                length = 2 + n;
            }
        }
        length
    }

    /// What a pause of 10 ms or more sounds like. Silence is the softest white noise.
    pub fn of(pcm: &[i16]) -> Colour {
        let mut correlations = [0.0f64; ORDER + 1];
        for (lag, correlation) in correlations.iter_mut().enumerate() {
            let later = pcm.get(lag..).unwrap_or_default();
            *correlation = pcm.iter().zip(later).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        }
        let power = correlations[0] / pcm.len().max(1) as f64;
        if power < 1.0 {
            return Colour::white(127);
        }
        let level = -10.0 * (power / FULL_POWER).log10();
        // A little white noise keeps the recursion from dividing by nothing.
        correlations[0] *= 1.000_1;
        Colour { below_overload_db: level.round().clamp(0.0, 127.0) as u8, reflections: reflections(&correlations) }
    }
}

/// The step of a coefficient (RFC 3389 §3.2).
const QUANTUM: f32 = 258.0 / 32_768.0;

/// The mean square of the loudest square wave.
const FULL_POWER: f64 = 32_768.0 * 32_768.0;

/// Levinson's recursion.
fn reflections(correlations: &[f64; ORDER + 1]) -> [f32; ORDER] {
    let mut found = [0.0; ORDER];
    let mut filter = [0.0f64; ORDER + 1];
    filter[0] = 1.0;
    let mut error = correlations[0];
    for order in 1..=ORDER {
        let sum: f64 = (0..order).map(|n| filter[n] * correlations[order - n]).sum();
        let reflection = (-sum / error).clamp(-0.99, 0.99);
        let before = filter;
        for n in 1..=order {
            filter[n] = before[n] + reflection * before[order - n];
        }
        error *= 1.0 - reflection * reflection;
        found[order - 1] = reflection as f32;
    }
    found
}

/// Makes noise of a colour. Colours change within a moment, without a click.
#[derive(Clone, Debug)]
pub struct Generator {
    target: Colour,
    /// Moves towards the target.
    amplitude: f32,
    reflections: [f32; ORDER],
    /// What the lattice remembers.
    backward: [f32; ORDER],
    seed: u32,
}

/// The part of the way to the target that a sample goes: most of it in 10 ms at 8 kHz.
const APPROACH: f32 = 0.03;

impl Generator {
    /// `seed` makes one generator's noise another than that of the next.
    pub fn new(colour: Colour, seed: u32) -> Generator {
        let reflections = colour.reflections;
        Generator { target: colour, amplitude: 0.0, reflections, backward: [0.0; ORDER], seed }
    }

    pub fn set(&mut self, colour: Colour) {
        self.target = colour;
    }

    /// Fills `pcm` with the next samples.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        let goal = amplitude(&self.target);
        for sample in pcm {
            self.amplitude += (goal - self.amplitude) * APPROACH;
            for (reflection, target) in self.reflections.iter_mut().zip(self.target.reflections) {
                *reflection += (target - *reflection) * APPROACH;
            }
            let source = self.uniform() * self.amplitude;
            // The cast saturates.
            *sample = self.lattice(source) as i16;
        }
    }

    /// All poles, by reflection coefficients: stable for all that are between -1 and 1.
    fn lattice(&mut self, source: f32) -> f32 {
        let mut forward = source;
        for n in (0..ORDER).rev() {
            forward -= self.reflections[n] * self.backward[n];
            if n + 1 < ORDER {
                self.backward[n + 1] = self.backward[n] + self.reflections[n] * forward;
            }
        }
        self.backward[0] = forward;
        forward
    }

    /// Between -1 and 1.
    fn uniform(&mut self) -> f32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.seed as i32 >> 8) as f32 / (1 << 23) as f32
    }
}

/// The peak of evenly spread noise that comes out of the filter at the colour's level.
fn amplitude(colour: &Colour) -> f32 {
    let power = FULL_POWER as f32 * 10f32.powf(f32::from(colour.below_overload_db) / -10.0);
    // What the filter adds to the power of what goes in.
    let gain: f32 = colour.reflections.iter().map(|reflection| 1.0 - reflection * reflection).product();
    (3.0 * power * gain).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loudness::Loudness;

    fn noise(colour: Colour, samples: usize) -> Vec<i16> {
        let mut pcm = vec![0; samples + 800];
        Generator::new(colour, 7).fill(&mut pcm);
        pcm.split_off(800)
    }

    #[test]
    fn a_payload_is_read_as_it_was_written() {
        let colour = Colour::read(&[60, 0, 254, 127, 200, 127]).unwrap();
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        assert_eq!(colour.write(&mut payload), 5);
        assert_eq!(payload[..5], [60, 0, 254, 127, 200]);
        assert_eq!(Colour::white(55).write(&mut payload), 1);
        assert_eq!(Colour::read(&[]), None);
        // The upper bit of the level is reserved, and coefficients beyond ours are passed over.
        assert_eq!(Colour::read(&[0x80 | 30]), Some(Colour::white(30)));
        assert!(Colour::read(&[20; 100]).is_some());
    }

    #[test]
    fn noise_has_the_level_that_was_asked_for() {
        for level in [20, 40, 60] {
            for reflections in [&[][..], &[40, 150], &[10], &[250, 130, 90, 127, 140]] {
                let colour = Colour::read(&[&[level], reflections].concat()).unwrap();
                let pcm = noise(colour, 32_000);
                let heard = Loudness::of(&pcm).below_overload_db(pcm.len());
                assert!(heard.abs_diff(level) <= 1, "{level} {reflections:?}: {heard}");
            }
        }
        assert_eq!(noise(Colour::white(127), 160), [0; 160]);
    }

    #[test]
    fn noise_of_a_pause_sounds_like_the_pause() {
        let dull = Colour::read(&[45, 30, 140, 120]).unwrap();
        let heard = Colour::of(&noise(dull, 32_000));
        assert!(heard.below_overload_db.abs_diff(45) <= 1);
        for (heard, made) in heard.reflections.iter().zip(dull.reflections) {
            assert!((heard - made).abs() < 0.05, "{heard} {made}");
        }
        assert_eq!(Colour::of(&[0; 160]), Colour::white(127));
        assert_eq!(Colour::of(&[]), Colour::white(127));
        // A tone is no noise, and yet ends well.
        let tone: Vec<i16> = (0..160).map(|n| ((n as f32 * 0.3).sin() * 32_767.0) as i16).collect();
        let pcm = noise(Colour::of(&tone), 8_000);
        assert!(pcm.iter().any(|&sample| sample != 0));
    }
}
