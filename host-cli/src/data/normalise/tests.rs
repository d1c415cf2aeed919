//! Normalised inputs, and networks that take them without it.

use super::{Normalisation, Standardisation};
use selvedge::{Backend, Shape};

fn pixels() -> Vec<u8> {
    (0..40u32).map(|n| (n * 37 % 256) as u8).collect()
}

#[test]
fn standardised_inputs_have_no_mean() {
    let pixels = pixels();
    for (standardise, floor) in [(Standardisation::Pixel, true), (Standardisation::Global, false)] {
        let n = Normalisation::new(0.5, standardise, &pixels, 4, &(0..10).collect::<Vec<_>>());
        let mut rows = [0.0; 40];
        n.pixels(&pixels).fill(Backend::PORTABLE, &(0..10).collect::<Vec<_>>(), &mut rows);
        let mean = rows.iter().sum::<f32>() / 40.0;
        let square = rows.iter().map(|x| x * x).sum::<f32>() / 40.0;
        assert!(mean.abs() < 1e-5, "{standardise:?} {mean}");
        assert!(if floor { square < 0.9 } else { (square - 1.0).abs() < 1e-5 }, "{square}");
        let text = serde_json::to_string(&n).unwrap();
        assert_eq!(serde_json::from_str::<Normalisation>(&text).unwrap(), n);
    }
    let plain = Normalisation::new(1.0, Standardisation::None, &pixels, 4, &[]);
    assert_eq!(serde_json::to_string(&plain).unwrap(), "\"u8/255\"");
    assert!(serde_json::from_str::<Normalisation>("\"u8/256\"").is_err());
}

#[test]
fn gamma_is_a_table() {
    let n = Normalisation::new(0.5, Standardisation::None, &[], 1, &[]);
    let table = n.table().unwrap();
    assert_eq!((table[0], table[64], table[255]), (0, 128, 255));
    assert_eq!(Normalisation::default().table(), None);
}

#[test]
fn gamma_is_recovered_from_its_table() {
    for gamma in [0.1, 0.45, 0.5, 0.8, 0.999, 1.0, 1.5, 2.2, 10.0] {
        let n = Normalisation::new(gamma, Standardisation::None, &[], 1, &[]);
        let table = n.table().unwrap_or_else(|| std::array::from_fn(|p| p as u8));
        let found = Normalisation::from_table(&table).unwrap();
        let again = found.table().unwrap_or_else(|| std::array::from_fn(|p| p as u8));
        assert!((found.gamma() - gamma).abs() < 2e-3 && again == table, "{gamma} {found:?}");
    }
    let half = Normalisation::new(0.5, Standardisation::None, &[], 1, &[]);
    assert_eq!(Normalisation::from_table(&half.table().unwrap()), Some(half));
    assert_eq!(Normalisation::from_table(&std::array::from_fn(|p| 255 - p as u8)), None);
    assert_eq!(Normalisation::from_table(&[7; 256]), None);
}

#[test]
fn folded_layers_give_the_same_sums() {
    let pixels = pixels();
    let n = Normalisation::new(0.5, Standardisation::Pixel, &pixels, 4, &(0..10).collect::<Vec<_>>());
    let shape = Shape::new(&[4, 3]).unwrap();
    let params: Vec<f32> = (0..15).map(|p| (p as f32 - 7.0) / 8.0).collect();
    let mut folded = params.clone();
    n.fold(shape, &mut folded).unwrap();
    let table = n.table().unwrap();
    let mut x = [0.0; 4];
    n.pixels(&pixels).fill(Backend::PORTABLE, &[2], &mut x);
    for o in 0..3 {
        let z = |params: &[f32], x: [f32; 4]| {
            params[12 + o] + (0..4).map(|i| x[i] * params[3 * i + o]).sum::<f32>()
        };
        let bytes = std::array::from_fn(|i| f32::from(table[usize::from(pixels[8 + i])]) / 255.0);
        assert!((z(&params, x) - z(&folded, bytes)).abs() < 1e-5);
    }
}
