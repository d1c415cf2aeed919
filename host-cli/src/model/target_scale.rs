//! The units of a regression's targets: a network learns them standardised, and answers in their own.

use serde::{Deserialize, Serialize};

use crate::data::Matrix;

/// For each target: a network's output is `(value - mean) / deviation`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Serialized", into = "Serialized")]
pub struct TargetScale {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

/// The form in files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Serialized {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl From<TargetScale> for Serialized {
    fn from(TargetScale { mean, deviation }: TargetScale) -> Self {
        Self { mean, deviation }
    }
}

impl TryFrom<Serialized> for TargetScale {
    type Error = String;
    fn try_from(Serialized { mean, deviation }: Serialized) -> Result<Self, String> {
        let valid = mean.len() == deviation.len()
            && mean.iter().all(|m| m.is_finite())
            && deviation.iter().all(|d| d.is_finite() && *d > 0.0);
        if valid { Ok(Self { mean, deviation }) } else { Err("the scale of the targets is damaged".into()) }
    }
}

impl TargetScale {
    /// The mean and the standard deviation of each column of `targets` over the rows at `index`; a deviation of 1 where a
    /// target is constant there.
    pub fn measure(targets: &Matrix, index: &[u32]) -> Self {
        let count = index.len().max(1) as f64;
        let column = |o: usize| index.iter().map(move |&n| f64::from(targets.row(n as usize)[o]));
        let moments = |o: usize| {
            let mean = column(o).sum::<f64>() / count;
            let deviation = (column(o).map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt() as f32;
            (mean as f32, if deviation > 0.0 { deviation } else { 1.0 })
        };
        let (mean, deviation) = (0..targets.columns).map(moments).unzip();
        Self { mean, deviation }
    }

    /// The number of targets.
    pub fn outputs(&self) -> usize {
        self.mean.len()
    }

    /// The means of the targets: the best answer that does not look at the inputs.
    pub fn means(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviations of the targets.
    pub fn deviations(&self) -> &[f32] {
        &self.deviation
    }

    /// What a network learns for the values of whole rows, appended to `out`.
    pub fn standardise(&self, values: &[f32], out: &mut Vec<f32>) {
        for row in values.chunks_exact(self.outputs().max(1)) {
            let each = row.iter().zip(&self.mean).zip(&self.deviation);
            out.extend(each.map(|((v, mean), deviation)| (v - mean) / deviation));
        }
    }

    /// Turns outputs of whole rows into the targets' units.
    pub fn to_units(&self, outputs: &mut [f32]) {
        for row in outputs.chunks_exact_mut(self.outputs().max(1)) {
            for ((z, mean), deviation) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *z = *z * deviation + mean;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TargetScale;
    use crate::data::Matrix;

    #[test]
    fn values_come_back() {
        let targets = Matrix { values: vec![1.0, 7.0, 3.0, 7.0, 100.0, 7.0], columns: 2 };
        let scale = TargetScale::measure(&targets, &[0, 1]);
        assert_eq!(scale.means(), [2.0, 7.0]);
        let mut learned = Vec::new();
        scale.standardise(&targets.values, &mut learned);
        assert_eq!(learned, [-1.0, 0.0, 1.0, 0.0, 98.0, 0.0]);
        scale.to_units(&mut learned);
        assert_eq!(learned, targets.values);
        let json = serde_json::to_string(&scale).unwrap();
        assert_eq!(serde_json::from_str::<TargetScale>(&json).unwrap(), scale);
        assert!(serde_json::from_str::<TargetScale>(r#"{"mean":[1],"deviation":[0]}"#).is_err());
    }
}
