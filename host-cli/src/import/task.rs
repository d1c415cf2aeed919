//! What an imported network answers, from what follows its last layer and from `--task`.
//!
//! A sigmoid of one output is a yes-or-no decision: a classifier of two classes with the logits 0 and `z`, since
//! `softmax(0, z) = (1 - sigmoid(z), sigmoid(z))`. One linear output may be a number or such a logit, so it is refused until
//! `--task` says which.

use super::dense::Dense;
use super::{Clause, Refusal};
use crate::data::Task;

/// What follows the last layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Ending {
    /// Nothing, or the file does not say it.
    #[default]
    Linear,
    /// A sigmoid of each output.
    Sigmoid,
    /// A softmax, or the class with the highest output.
    Softmax,
}

/// The task of a network with these layers. Gives the last one two outputs where its one output tells two classes apart.
pub(super) fn of(
    ending: Ending,
    layers: &mut [Dense],
    said: Option<Task>,
    notes: &mut Vec<String>,
) -> Result<Task, Refusal> {
    let inputs = layers.first().map_or(0, |layer| layer.dims[1]);
    let Some(last) = layers.last_mut() else { return Err(Refusal::File("it holds no dense layer".into())) };
    let outputs = last.dims[0];
    let wrong = |task: Task, why: String| Err(Refusal::Arguments(format!("--task {}: {why}", task.name())));
    match (ending, said) {
        (Ending::Softmax, None | Some(Task::Classify)) => Ok(Task::Classify),
        (Ending::Softmax, Some(task)) => {
            wrong(task, "the graph ends with a softmax, which tells classes apart; leave it out".into())
        }
        (Ending::Sigmoid, None | Some(Task::Classify)) if outputs == 1 => {
            two_of_one(last)?;
            notes.push(format!("the graph ends with a sigmoid of one output: {TWO_CLASSES}"));
            Ok(Task::Classify)
        }
        (Ending::Sigmoid, None | Some(Task::Multilabel)) => Ok(Task::Multilabel),
        (Ending::Sigmoid, Some(task)) => wrong(
            task,
            "the graph ends with a sigmoid of each output, which says for each label whether it applies; leave --task out, or \
             export the network with its logits as the output"
                .into(),
        ),
        (Ending::Linear, None) if outputs == 1 => Err(Refusal::File(ONE_OUTPUT.into())),
        (Ending::Linear, Some(Task::Classify)) if outputs == 1 => {
            two_of_one(last)?;
            notes.push(format!("its one output was taken as the logit of a yes-or-no decision: {TWO_CLASSES}"));
            Ok(Task::Classify)
        }
        (Ending::Linear, Some(Task::Reconstruct)) if inputs != outputs => wrong(
            Task::Reconstruct,
            format!("it has {inputs} inputs and {outputs} outputs, and a reconstruction has as many of both"),
        ),
        (Ending::Linear, said) => Ok(said.unwrap_or(Task::Classify)),
    }
}

/// What becomes of one logit.
const TWO_CLASSES: &str = "the model has two classes, no and yes, with the logits 0 and z, whose softmax equals the sigmoid \
    of z";

/// Why one linear output is refused.
const ONE_OUTPUT: &str = "it has one output, as for regression or a yes-or-no decision: say with `--task regress` that it is \
    a number, or with `--task classify` that it is the logit of the second of two classes";

/// Replaces a layer's one logit `z` by the two logits 0 and `z`.
fn two_of_one(layer: &mut Dense) -> Clause<()> {
    let inputs = layer.dims[1];
    if layer.weights.len() != inputs || layer.biases.len() != 1 {
        return Err(format!("{} is not of one output", layer.names[0]));
    }
    layer.weights.splice(0..0, vec![0.0; inputs]);
    layer.biases.insert(0, 0.0);
    layer.dims[0] = 2;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Ending, of};
    use crate::data::Task;
    use crate::import::Refusal;
    use crate::import::dense::Dense;

    fn layer(dims: [usize; 2]) -> Dense {
        let values = |count: usize| (1..=count).map(|n| n as f32).collect();
        Dense {
            names: ["w", "b"].map(String::from),
            dims,
            weights: values(dims[0] * dims[1]),
            biases: values(dims[0]),
        }
    }

    fn task(ending: Ending, dims: [usize; 2], said: Option<Task>) -> Result<(Task, Dense, usize), Refusal> {
        let (mut layers, mut notes) = ([layer(dims)], Vec::new());
        let task = of(ending, &mut layers, said, &mut notes)?;
        Ok((task, layers[0].clone(), notes.len()))
    }

    #[test]
    fn one_sigmoid_is_two_classes() {
        for (ending, said) in [(Ending::Sigmoid, None), (Ending::Linear, Some(Task::Classify))] {
            let (task, layer, notes) = task(ending, [1, 2], said).unwrap();
            assert_eq!((task, layer.dims, notes), (Task::Classify, [2, 2], 1));
            assert_eq!((&layer.weights[..], &layer.biases[..]), (&[0.0, 0.0, 1.0, 2.0][..], &[0.0, 1.0][..]));
        }
    }

    #[test]
    fn the_ending_and_the_flag_agree_or_are_refused() {
        use Task::{Classify, Multilabel, Reconstruct, Regress};
        for (ending, dims, said, expected) in [
            (Ending::Softmax, [3, 2], None, Classify),
            (Ending::Sigmoid, [3, 2], None, Multilabel),
            (Ending::Sigmoid, [1, 2], Some(Multilabel), Multilabel),
            (Ending::Linear, [3, 2], None, Classify),
            (Ending::Linear, [1, 2], Some(Regress), Regress),
            (Ending::Linear, [3, 2], Some(Multilabel), Multilabel),
            (Ending::Linear, [2, 2], Some(Reconstruct), Reconstruct),
        ] {
            let (task, layer, notes) = task(ending, dims, said).unwrap();
            assert_eq!((task, layer.dims, notes), (expected, dims, 0), "{ending:?} {dims:?} {said:?}");
        }
        for (ending, dims, said, what) in [
            (Ending::Softmax, [3, 2], Some(Regress), "--task regress: the graph ends with a softmax"),
            (Ending::Sigmoid, [3, 2], Some(Classify), "--task classify: the graph ends with a sigmoid"),
            (Ending::Linear, [3, 2], Some(Reconstruct), "it has 2 inputs and 3 outputs"),
        ] {
            let Err(Refusal::Arguments(why)) = task(ending, dims, said) else { panic!("{what}") };
            assert!(why.contains(what), "{why}");
        }
        let Err(Refusal::File(why)) = task(Ending::Linear, [1, 2], None) else { panic!("one output") };
        assert!(why.contains("`--task regress`") && why.contains("`--task classify`"), "{why}");
    }
}
