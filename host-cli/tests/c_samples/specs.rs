//! The files whose C is compared.

use selvedge::Activation::{HardSwish, Identity, LeakyRelu, Relu, Relu6, Sigmoid, Tanh};
use selvedge::format::{Dtype, InputMap, InputType, Packing, Task};

use crate::support::files::Spec;

pub fn with(input: (InputType, InputMap, u32), widths: &[usize]) -> Spec {
    Spec { input, ..Spec::new(widths) }
}

/// Every raw type, number of bits, task and activation, a window of each kind, networks of one layer and of many.
pub fn integers() -> Vec<Spec> {
    use InputMap::{Affine, AffinePerFeature, Plain, Table};
    use InputType::{F32, I16, U8, U16};
    let each = |of, bits| (of, AffinePerFeature, bits);
    vec![
        Spec { bound: 3000, ..with(each(F32, 7), &[7, 13, 5]) },
        Spec { bound: 0, activations: vec![Tanh, Sigmoid], ..with(each(F32, 14), &[6, 17, 9, 3]) },
        Spec { task: Task::Values, activations: vec![LeakyRelu], ..with(each(F32, 14), &[5, 21, 2]) },
        Spec { task: Task::Labels, bound: 900, dtype: Dtype::I4, ..with(each(F32, 7), &[9, 15, 11]) },
        Spec {
            task: Task::Reconstruction,
            bound: 36_000,
            activations: vec![Relu6, Identity, Relu],
            ..with((F32, Affine, 7), &[10, 8, 3, 8, 10])
        },
        Spec { task: Task::Reconstruction, bound: 32_000, ..with(each(I16, 14), &[6, 9, 6]) },
        Spec { task: Task::Reconstruction, ..with(each(F32, 14), &[5, 5]) },
        Spec { window: Some((6, 2)), bound: 500, ..with((I16, Affine, 7), &[18, 12, 4]) },
        Spec { window: Some((5, 7)), task: Task::Values, ..with((F32, Affine, 14), &[10, 12, 3]) },
        Spec {
            window: Some((4, 4)),
            task: Task::Reconstruction,
            bound: 35_000,
            dtype: Dtype::I4,
            activations: vec![HardSwish],
            ..with(each(U16, 7), &[8, 6, 8])
        },
        Spec { dtype: Dtype::I4, ..with(each(U16, 14), &[11, 9, 4]) },
        Spec { task: Task::Labels, ..with(each(U8, 7), &[12, 16]) },
        // Every label applies.
        Spec { task: Task::Labels, bound: i32::MIN as u32, ..with(each(U8, 7), &[12, 5]) },
        Spec { bound: 1500, ..with((U8, Plain, 7), &[16, 12, 4]) },
        Spec { ..with((U8, Plain, 7), &[16, 12, 4]) },
        Spec { task: Task::Reconstruction, bound: 53_000, ..with((U8, Table, 7), &[16, 6, 16]) },
        Spec { task: Task::Labels, activations: vec![Tanh], ..with((U8, Table, 7), &[16, 8, 3]) },
        Spec { task: Task::Values, packing: Packing::CortexM4, ..with((U8, Plain, 7), &[16, 8, 3]) },
        // Pictures of 8 by 12 pixels, read in patches.
        Spec { ..with((U8, Plain, 7), &[96, 21, 5]) },
        Spec { dtype: Dtype::I4, ..with((U8, Table, 7), &[96, 18, 6, 3]) },
        Spec { task: Task::Reconstruction, ..with((U8, Plain, 7), &[96, 96]) },
    ]
}

/// Every type of weights and activation that C of floats has, with raw values of every type.
pub fn floats() -> Vec<Spec> {
    let of = |spec: Spec| Spec { dtype: Dtype::F32, ..spec };
    let each = |raw| (raw, InputMap::AffinePerFeature, 7);
    let activations = vec![LeakyRelu, Relu6, HardSwish, Relu, Identity];
    vec![
        of(Spec { bound: 900, activations, ..with(each(InputType::F32), &[7, 13, 9, 9, 8, 8, 5]) }),
        of(Spec { task: Task::Values, ..with(each(InputType::I16), &[6, 17, 3]) }),
        of(Spec {
            task: Task::Labels,
            bound: 700,
            ..with((InputType::U16, InputMap::Affine, 7), &[6, 17, 9])
        }),
        of(Spec { task: Task::Reconstruction, bound: 14_700, ..with(each(InputType::F32), &[9, 5, 9]) }),
        Spec { dtype: Dtype::F16, ..with((InputType::U8, InputMap::Plain, 7), &[16, 9, 4]) },
        of(Spec { window: Some((3, 1)), ..with(each(InputType::F32), &[9, 7, 4]) }),
    ]
}
