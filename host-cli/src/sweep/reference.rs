//! The notebook's printed figures for its six configurations, and PyTorch's when the notebook was run again.

/// Figures of one configuration, test accuracies in percent.
pub struct Reference {
    /// Printed by the notebook, seed 42.
    pub printed: f64,
    /// PyTorch, run again, seed 42.
    pub again: f64,
    /// PyTorch, the mean of ten seeds.
    pub mean: f64,
    /// Their standard deviation.
    pub standard_deviation: f64,
}

/// The seeds of [`Reference::mean`].
pub const SEEDS: f64 = 10.0;

/// In the notebook's order.
pub const NOTEBOOK: [Reference; 6] = [
    Reference { printed: 86.09, again: 86.01, mean: 84.03, standard_deviation: 1.68 },
    Reference { printed: 80.81, again: 81.56, mean: 82.96, standard_deviation: 2.34 },
    Reference { printed: 78.94, again: 79.94, mean: 81.48, standard_deviation: 2.48 },
    Reference { printed: 84.37, again: 84.39, mean: 83.35, standard_deviation: 1.07 },
    Reference { printed: 86.44, again: 86.61, mean: 85.67, standard_deviation: 0.90 },
    Reference { printed: 84.68, again: 84.64, mean: 84.13, standard_deviation: 2.48 },
];
