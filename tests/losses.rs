//! Every loss with every activation: the chain rule against central differences, every backend against the chain rule, the same
//! bits from every division of the rows, dropout, row weights, and what is refused.

mod common;

use common::{Guarded, Problem, SIZES, Threads, assert_close, backends, bits, painted, wide};
use selvedge::mlp::Regularize;
use selvedge::{
    Activation, Arena, Backend, Error, Executor, Loss, Precision, Serial, StepStats, Targets, Update,
    Workspace, kernel, naive,
};

const ACTIVATIONS: [Activation; 7] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Relu6,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::HardSwish,
];

/// A problem with an activation, a loss and its targets; inputs so large that the bounds of ReLU6 and hard swish, and the knee
/// of Huber's loss, are passed on both sides.
struct Case {
    problem: Problem,
    loss: Loss,
    values: Vec<f32>,
    weights: Vec<f32>,
}

impl Case {
    fn new(widths: &[usize], b: usize, activation: Activation, loss: Loss) -> Self {
        let mut problem = Problem::new(widths, b, 21);
        problem.shape = problem.shape.with_activation(activation);
        problem.x.iter_mut().for_each(|x| *x *= 3.0);
        let outputs = problem.shape.outputs();
        let values = painted(b * outputs, 5);
        let values = match loss {
            Loss::SigmoidCrossEntropy => values.iter().map(|t| t.abs() / 2.0).collect(),
            _ => values,
        };
        Self { problem, loss, values, weights: (0..b).map(|r| [1.0, 0.5, 2.0, 0.0][r % 4]).collect() }
    }

    /// One for each activation and loss.
    fn all(widths: &[usize], b: usize) -> impl Iterator<Item = Self> {
        let pairs = ACTIVATIONS.into_iter().flat_map(|a| Loss::ALL.map(|loss| (a, loss)));
        pairs.map(move |(activation, loss)| Self::new(widths, b, activation, loss))
    }

    fn targets(&self) -> Targets<'_> {
        let targets = match self.loss {
            Loss::SoftmaxCrossEntropy => Targets::labels(&self.problem.labels),
            _ => Targets::values(&self.values),
        };
        targets.with_weights(&self.weights)
    }

    fn what(&self, backend: Backend) -> String {
        let shape = self.problem.shape;
        format!("{} {} {shape} {}", shape.activation(0), self.loss, backend.name())
    }

    /// The mean loss and its gradient by the specification in double precision.
    fn gradient(&self, params: &[f64]) -> (f64, Vec<f64>) {
        let (shape, b) = (self.problem.shape, self.problem.labels.len());
        let mut gradient = vec![f64::NAN; params.len()];
        let mut scratch = vec![f64::NAN; naive::gradient_scratch(shape, b)];
        let x = wide(&self.problem.x);
        let loss = naive::gradient(shape, self.loss, params, &x, self.targets(), &mut gradient, &mut scratch);
        (loss, gradient)
    }

    /// What `evaluate` and a step say, the gradient, and the activations of the hidden layers, in poisoned memory for more
    /// rows than there are.
    fn step(&self, backend: Backend, executor: &impl Executor, regularize: Regularize) -> Stepped {
        let (shape, b) = (self.problem.shape, self.problem.labels.len());
        let mut memory = vec![f32::NAN; Workspace::floats(shape, b + 3)];
        let mut workspace = Workspace::new(shape, b + 3, &mut Arena::new(&mut memory)).unwrap();
        let mlp = self.problem.mlp(backend).with_loss(self.loss);
        let (mut params, fill, targets) = (self.problem.params.clone(), self.problem.fill(), self.targets());
        let evaluated = mlp.evaluate(executor, &params, &mut workspace, targets, &fill).unwrap();
        let mut gradient = vec![f32::NAN; params.len()];
        let update = Update::Gradient(&mut gradient);
        let stats = mlp
            .step_regularized(executor, &mut params, &mut workspace, targets, &fill, update, regularize)
            .unwrap();
        let hidden = (1..shape.layers()).map(|l| workspace.activations().activation(l, b).to_vec()).collect();
        Stepped { evaluated, stats, gradient, hidden }
    }
}

struct Stepped {
    evaluated: StepStats,
    stats: StepStats,
    gradient: Vec<f32>,
    hidden: Vec<Vec<f32>>,
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0f64, |max, g| max.max(g.abs()))
}

/// Compares a gradient with central differences of `loss`, relative to the largest element.
fn central_differences(
    what: &str,
    params: &[f32],
    gradient: &[f64],
    bound: f64,
    loss: impl Fn(&[f64]) -> f64,
) {
    let scale = largest(gradient);
    assert!(scale > 0.0, "{what}");
    for at in 0..gradient.len() {
        let (h, mut params) = (1e-5, wide(params));
        params[at] += h;
        let above = loss(&params);
        params[at] -= 2.0 * h;
        let numeric = (above - loss(&params)) / (2.0 * h);
        let error = (numeric - gradient[at]).abs() / scale;
        assert!(error < bound, "{what} parameter {at}: {numeric} and {}", gradient[at]);
    }
}

#[test]
fn the_chain_rule_agrees_with_central_differences() {
    for case in Case::all(&[6, 5, 4, 3], 4) {
        let (_, gradient) = case.gradient(&wide(&case.problem.params));
        let loss = |params: &[f64]| case.gradient(params).0;
        central_differences(&case.what(Backend::NAIVE), &case.problem.params, &gradient, 1e-7, loss);
    }
}

#[test]
fn every_backend_follows_the_chain_rule() {
    for (widths, b) in
        [(&[50, 33, 9][..], 64), (&[13, 17, 9, 1], 7), (&[3, 300, 4], 32), (&[20, 64, 300], 32)]
    {
        for case in Case::all(widths, b) {
            let (loss, expected) = case.gradient(&wide(&case.problem.params));
            let scale = largest(&expected);
            for backend in backends() {
                for (precision, epsilon) in [(Precision::F32, 3e-5), (Precision::Bf16, 0.1)] {
                    let backend = backend.with_precision(precision);
                    let what = case.what(backend);
                    let got = case.step(backend, &Serial, Regularize::NONE);
                    assert_eq!(got.evaluated, got.stats, "{what}: evaluated before the step");
                    let close =
                        (got.stats.loss_sum / b as f64 - loss).abs() <= epsilon * loss.abs().max(0.01);
                    assert!(close, "{what}: {:?} {loss}", got.stats);
                    assert_close(&what, &got.gradient, &expected, &vec![epsilon * scale; expected.len()]);
                }
            }
        }
    }
}

/// With dropout, whose mask the activations of the step show: a unit that is 0 has dropped out, or its derivative is 0.
#[test]
fn dropout_agrees_with_central_differences() {
    let regularize = Regularize::NONE.with_dropout(0.4, 9);
    for case in Case::all(&[6, 9, 8, 3], 5) {
        for backend in [Backend::SCALAR, Backend::detect()] {
            let (problem, what) = (&case.problem, case.what(backend));
            let got = case.step(backend, &Serial, regularize);
            let zeros = got.hidden.iter().flatten().filter(|&&a| a == 0.0).count();
            assert!((15..85).contains(&zeros), "{what}: {zeros} of 85 units are 0");
            let loss = |params: &[f64]| {
                let (mut a, mut rest) = (wide(&problem.x), params);
                for l in 0..problem.shape.layers() {
                    let (i, o) = (problem.shape.width(l), problem.shape.width(l + 1));
                    let mut z = vec![0.0; 5 * o];
                    let operand = naive::Operand::dense(&a, i);
                    naive::gemm((5, i, o), 1.0, operand, &rest[..i * o], o, 0.0, &mut z, o);
                    naive::bias_relu(&mut z, &rest[i * o..][..o], false);
                    naive::activate(problem.shape.activation(l), &mut z);
                    if let Some(hidden) = got.hidden.get(l) {
                        let kept = |&a: &f32| if a == 0.0 { 0.0 } else { 1.0 / 0.6 };
                        z.iter_mut().zip(hidden).for_each(|(z, a)| *z *= kept(a));
                    }
                    (a, rest) = (z, &rest[(i + 1) * o..]);
                }
                let mut losses = [0.0; 5];
                naive::logit_gradient(case.loss, &mut a, case.targets(), &mut losses);
                losses.iter().sum::<f64>() / 5.0
            };
            central_differences(&what, &problem.params, &wide(&got.gradient), 2e-5, loss);
        }
    }
}

#[test]
fn rows_may_be_divided_and_reproducible_backends_agree() {
    let regularize = Regularize::NONE.with_dropout(0.3, 4);
    for case in Case::all(&[50, 33, 17, 5], 13) {
        for backend in backends().filter(|b| b.name() != "matrixmultiply") {
            let alone = case.step(backend, &Serial, regularize);
            for workers in [2, 3, 20] {
                let together = case.step(backend, &Threads(workers), regularize);
                let what = case.what(backend);
                assert_eq!(bits(&together.gradient), bits(&alone.gradient), "{what} with {workers}");
                assert_eq!((together.evaluated, together.stats), (alone.evaluated, alone.stats), "{what}");
            }
        }
        let [scalar, portable] =
            [Backend::SCALAR, Backend::PORTABLE].map(|backend| case.step(backend, &Serial, regularize));
        assert_eq!(bits(&scalar.gradient), bits(&portable.gradient), "{}", case.what(Backend::PORTABLE));
        assert_eq!(scalar.stats, portable.stats);
    }
}

#[test]
fn activations_and_derivatives_at_boundary_sizes() {
    for activation in ACTIVATIONS {
        for &n in &SIZES {
            let z: Vec<f32> = painted(n, 3).iter().map(|z| 4.0 * z).collect();
            let dx = painted(n, 8);
            let mut a = wide(&z);
            naive::activate(activation, &mut a);
            let expected: Vec<f64> = z
                .iter()
                .zip(&dx)
                .map(|(&z, &dx)| f64::from(dx) * naive::derivative(activation, f64::from(z)))
                .collect();
            for backend in backends() {
                let what = format!("{} {activation} {n}", backend.name());
                let mut got = Guarded::of(&z);
                kernel::activate(backend, activation, got.get());
                let got = got.finish(&what);
                assert_close(&what, &got, &a, &a.iter().map(|a| 1e-6 * a.abs()).collect::<Vec<_>>());
                for scale in [1.0, 1.0 / 0.7] {
                    let outputs: Vec<f32> = got.iter().map(|a| a * scale).collect();
                    let saved = if activation == Activation::HardSwish { &z } else { &outputs };
                    let mut gradient = Guarded::of(&dx);
                    kernel::activation_gradient(backend, activation, saved, scale, gradient.get());
                    assert_close(&what, &gradient.finish(&what), &expected, &vec![2e-6; n]);
                }
                let mut nan = [f32::NAN; 3];
                kernel::activate(backend, activation, &mut nan);
                assert!(nan.iter().all(|x| x.is_nan()), "{what}: a NaN is lost");
            }
        }
    }
}

#[test]
fn losses_at_boundary_sizes() {
    for loss in [Loss::SigmoidCrossEntropy, Loss::SquaredError, Loss::Huber] {
        for &o in &SIZES[1..] {
            let b = 1 + o % 4;
            let mut z: Vec<f32> = painted(b * o, 2).iter().map(|z| 3.0 * z).collect();
            (z[0], z[b * o - 1]) = (80.0, -80.0);
            let t: Vec<f32> = painted(b * o, 9).iter().map(|t| t.abs() / 2.0).collect();
            let (mut expected, mut losses) = (wide(&z), vec![0.0; b]);
            let correct = naive::value_loss(loss, &mut expected, Targets::values(&t), &mut losses);
            for backend in backends() {
                let what = format!("{} {loss} {b} {o}", backend.name());
                let (mut dz, mut got) = (Guarded::of(&z), Guarded::poisoned(b));
                let targets = Targets::values(&t);
                assert_eq!(
                    kernel::value_loss(backend, loss, dz.get(), targets, got.get()),
                    correct,
                    "{what}"
                );
                let relative = |v: &[f64]| v.iter().map(|x| 2e-5 * x.abs().max(0.1)).collect::<Vec<_>>();
                assert_close(&what, &dz.finish(&what), &expected, &relative(&expected));
                assert_close(&what, &got.finish(&what), &losses, &relative(&losses));
            }
        }
    }
}

#[test]
fn labels_of_one_logit_are_values_and_correct_rows_are_on_their_side() {
    let z = [2.0, -1.0, 0.5, -0.5];
    for backend in backends() {
        let run = |targets: Targets<'_>| {
            let (mut z, mut losses) = (z, [f32::NAN; 4]);
            let loss = Loss::SigmoidCrossEntropy;
            (kernel::value_loss(backend, loss, &mut z, targets, &mut losses), z, losses)
        };
        let by_labels = run((&[1, 0, 0, 1]).into());
        assert_eq!(by_labels, run((&[1.0, 0.0, 0.0, 1.0]).into()), "{}", backend.name());
        assert_eq!(by_labels.0, 2);
        let (mut logits, mut losses) = ([3.0, -3.0, 3.0, 3.0], [0.0; 2]);
        let targets = Targets::values(&[1.0, 0.0, 1.0, 0.0]);
        let loss = Loss::SigmoidCrossEntropy;
        assert_eq!(kernel::value_loss(backend, loss, &mut logits, targets, &mut losses), 1);
    }
}

#[test]
fn wrong_targets_are_errors_and_change_nothing() {
    let problem = Problem::new(&[6, 5, 3], 2, 1);
    let one = Problem::new(&[6, 5, 1], 2, 1);
    let labels = Targets::labels(&[0, 1]);
    let values = Targets::values(&[0.5; 6]);
    let kind = |loss: Loss, expected| Error::TargetKind { loss: loss.name(), expected };
    let target = |row, output, expected| Error::Target { row, output, expected };
    let length = |what, expected, actual| Error::Length { what, expected, actual };
    let (unit, finite) = ("from 0 to 1", "a finite number");
    let (softmax, sigmoid) = (Loss::SoftmaxCrossEntropy, Loss::SigmoidCrossEntropy);
    let sigmoid_kind = "a value for each output, or labels for a single output,";
    let nan = [0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0];
    for (problem, loss, targets, error) in [
        (&problem, softmax, values, kind(softmax, "a label for each row")),
        (&problem, softmax, Targets::labels(&[0, 3]), Error::Label { row: 1, label: 3, classes: 3 }),
        (&problem, sigmoid, labels, kind(sigmoid, sigmoid_kind)),
        (&one, sigmoid, Targets::labels(&[0, 2]), Error::Label { row: 1, label: 2, classes: 2 }),
        (&problem, Loss::SquaredError, labels, kind(Loss::SquaredError, "a value for each output")),
        (&problem, Loss::Huber, labels, kind(Loss::Huber, "a value for each output")),
        (&problem, sigmoid, Targets::values(&[0.0, 1.0, 1.5]), target(0, 2, unit)),
        (&problem, sigmoid, Targets::values(&nan), target(1, 1, unit)),
        (&problem, Loss::SquaredError, Targets::values(&nan), target(1, 1, finite)),
        (&problem, Loss::Huber, Targets::values(&[f32::INFINITY, 0.0, 0.0]), target(0, 0, finite)),
        (&problem, Loss::SquaredError, Targets::values(&[0.0; 5]), length("target values", 6, 5)),
        (&problem, Loss::SquaredError, Targets::values(&[]), Error::Batch { rows: 0, capacity: 2 }),
        (&problem, softmax, labels.with_weights(&[1.0]), length("row weights", 2, 1)),
        (&problem, softmax, labels.with_weights(&[1.0, -0.5]), Error::RowWeight { row: 1 }),
        (&problem, Loss::Huber, values.with_weights(&[f32::NAN, 1.0]), Error::RowWeight { row: 0 }),
    ] {
        let mut memory = vec![0.0; Workspace::floats(problem.shape, 2)];
        let mut workspace = Workspace::new(problem.shape, 2, &mut Arena::new(&mut memory)).unwrap();
        let (mlp, fill) = (problem.mlp(Backend::PORTABLE).with_loss(loss), problem.fill());
        let mut params = problem.params.clone();
        let update = Update::Sgd { learning_rate: 0.1 };
        let step = mlp.step(&Serial, &mut params, &mut workspace, targets, &fill, update);
        assert_eq!(step, Err(error), "{loss} {targets:?}");
        assert_eq!(bits(&params), bits(&problem.params));
        let evaluated = mlp.evaluate(&Serial, &params, &mut workspace, targets, &fill);
        assert_eq!(evaluated, Err(error));
        drop(workspace);
        assert!(memory.iter().all(|&x| x == 0.0), "{loss} {targets:?}: the workspace changed");
    }
}

#[test]
fn smoothing_is_for_softmax() {
    let problem = Problem::new(&[6, 5, 3], 2, 1);
    let mut memory = vec![0.0; Workspace::floats(problem.shape, 2)];
    let mut workspace = Workspace::new(problem.shape, 2, &mut Arena::new(&mut memory)).unwrap();
    let mlp = problem.mlp(Backend::PORTABLE).with_loss(Loss::Huber);
    let (mut params, smooth) = (problem.params.clone(), Regularize::NONE.with_label_smoothing(0.1));
    let update = Update::Sgd { learning_rate: 0.1 };
    let values = &[0.0; 6];
    let error = mlp
        .step_regularized(&Serial, &mut params, &mut workspace, values, &problem.fill(), update, smooth)
        .unwrap_err();
    assert!(error.to_string().starts_with("label_smoothing is not 0: only softmax"), "{error}");
}
