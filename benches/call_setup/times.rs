//! Times, sorted when they are asked for.

#[derive(Default)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn from_unsorted(mut times: Vec<f64>) -> Times {
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    /// The value below which `share` of all lie; NaN without any.
    pub fn at(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}
