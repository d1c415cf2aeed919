//! What a trained model keeps of the validation samples: the temperature of its probabilities, the threshold of its anomaly
//! scores.

use selvedge::Mlp;

use super::Pipeline;
use crate::data::{Targets, Task};
use crate::error::{Error, Result};
use crate::inference::answers::{Answers, answers};
use crate::inference::float::logits;
use crate::inference::metrics::{calibration, reconstruction};
use crate::model::Model;
use crate::recipe::TrainOn;
use crate::thread_pool::ThreadPool;

/// Measures on the validation samples, if there are some that were not trained on; else the model keeps nothing.
pub(super) fn calibrate(pipeline: &Pipeline<'_>, pool: &ThreadPool, model: &mut Model) -> Result<()> {
    let Pipeline { set, split, recipe, .. } = pipeline;
    let backend = pipeline.mlp.backend;
    if split.val.is_empty() || recipe.train_on == TrainOn::All || !model.params.iter().all(|p| p.is_finite())
    {
        return Ok(());
    }
    match (model.about.task, &set.targets) {
        (Task::Classify, Targets::Classes(labels)) => {
            let mlp = Mlp::new(model.shape, backend);
            let inputs = model.about.normalisation.inputs(&set.features);
            let logits = logits(pool, &mlp, &model.params, &inputs, &split.val)?;
            let labels: Vec<u8> = split.val.iter().map(|&n| labels[n as usize]).collect();
            // Logits that are not finite have no temperature; evaluation says so.
            let found = calibration::temperature(&logits, model.shape.outputs(), &labels);
            model.about.temperature = found.ok().map(|t| t.value as f32).filter(|&t| t != 1.0);
        }
        (Task::Reconstruct, _) => {
            if let Answers::Scores(scores) = answers(pool, backend, model, &set.features, &split.val)? {
                let threshold = reconstruction::threshold(&scores, f64::from(recipe.false_alarms));
                let threshold = threshold.map_err(Error::failed)?;
                // Rounded up, so that the score that it was taken from does not lie above it.
                let rounded = threshold as f32;
                let below = f64::from(rounded) < threshold;
                model.about.threshold = Some(if below { rounded.next_up() } else { rounded });
            }
        }
        _ => {}
    }
    Ok(())
}
