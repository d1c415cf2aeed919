//! The owning front: the obvious programs, misuse, files, and that it is the same training as the one without a heap.
#![cfg(feature = "alloc")]

mod common;

use common::{Threads, bits};
use selvedge::format::{Dtype, Packing};
use selvedge::infer::{float, integer};
use selvedge::optim::{Optimizer, Schedule};
use selvedge::{Arena, Backend, Error, FitOptions, Mlp, Network, Rng, Samples, Serial, Update, Workspace};

const X: [f32; 8] = [0., 0., 0., 1., 1., 0., 1., 1.];
const Y: [u8; 4] = [0, 1, 1, 0];

fn xor() -> Network {
    let mut network = Network::new(&[2, 16, 2], 1).unwrap();
    network.fit(&X, &Y, FitOptions::default().with_epochs(500).with_learning_rate(0.02)).unwrap();
    network
}

/// Images of 4x4 pixels, brightest in the rows of their class.
fn images(count: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut rng = Rng::new(seed);
    let labels: Vec<u8> = (0..count).map(|_| rng.below(4) as u8).collect();
    let pixel =
        |p: usize, label: u8, noise: u32| if p / 4 == usize::from(label) { 150 + noise } else { noise } as u8;
    let pixels = labels.iter().flat_map(|&label| (0..16).map(move |p| (p, label)));
    (pixels.map(|(p, label)| pixel(p, label, rng.below(100))).collect(), labels)
}

#[test]
fn learns_xor_with_every_optimizer() {
    for optimizer in [
        Optimizer::SGD,
        Optimizer::Sgd { momentum: 0.9, nesterov: false },
        Optimizer::Sgd { momentum: 0.9, nesterov: true },
        Optimizer::ADAMW,
    ] {
        let rate = match optimizer {
            Optimizer::AdamW { .. } => 0.02,
            optimizer if optimizer == Optimizer::SGD => 0.5,
            _ => 0.1,
        };
        let mut network = Network::new(&[2, 16, 2], 1).unwrap();
        let options =
            FitOptions::default().with_epochs(1500).with_optimizer(optimizer).with_learning_rate(rate);
        let history = network.fit(&X, &Y, options).unwrap();
        assert_eq!(history.len(), 1500);
        let evaluation = network.evaluate(&X, &Y).unwrap();
        assert_eq!((evaluation.accuracy(), evaluation.samples), (1.0, 4), "{optimizer:?}");
        assert!(evaluation.loss() < 0.1 && history[0].loss() > 0.5, "{optimizer:?} {evaluation:?}");
        assert_eq!(network.predict_all(&X).unwrap(), [0, 1, 1, 0]);
        assert_eq!(network.predict(&[0.0f32, 1.0]).unwrap(), 1);
    }
}

#[test]
fn learns_pixels_and_quantizes() {
    let ((train, labels), (test, test_labels)) = (images(600, 1), images(300, 2));
    let mut network = Network::new(&[16, 12, 4], 1).unwrap();
    let options = FitOptions::default()
        .with_epochs(10)
        .with_learning_rate(0.01)
        .with_schedule(Schedule::Cosine)
        .with_warmup(0.1)
        .with_weight_decay(0.01)
        .with_label_smoothing(0.05)
        .with_dropout(0.1)
        .with_seed(5);
    network.fit(&train, &labels, options).unwrap();
    assert!(network.evaluate(&test, &test_labels).unwrap().accuracy() > 0.95);
    for (dtype, packing) in
        [(Dtype::I8, Packing::Generic), (Dtype::I8, Packing::CortexM4), (Dtype::I4, Packing::CortexM0)]
    {
        let file = network.quantize(dtype, packing, &train[..1600]).unwrap();
        let view = file.view().unwrap();
        let engine = integer::Engine::new(view).unwrap();
        let header = engine.view().header();
        assert_eq!((header.dtype(), header.packing()), (dtype, packing));
        let (mut scratch, mut logits) = (vec![0; integer::Engine::scratch_words(header)], [0; 4]);
        engine.self_test(&mut scratch, &mut logits).unwrap();
        let right = test.chunks(16).zip(&test_labels).filter(|&(pixels, &label)| {
            engine.classify(pixels, &mut scratch, &mut logits).unwrap() == Some(usize::from(label))
        });
        assert!(right.count() > 280, "{dtype} {packing}");
    }
}

/// Features of 0 and 1 are the bytes 0 and 255 of a file.
#[test]
fn quantized_xor_is_xor() {
    let file = xor().quantize(Dtype::I8, Packing::CortexM0, &X).unwrap();
    let engine = integer::Engine::new(file.view().unwrap()).unwrap();
    let mut scratch = vec![0; integer::Engine::scratch_words(engine.view().header())];
    for (x, y) in X.chunks(2).zip(Y) {
        let bytes = [255.0 * x[0], 255.0 * x[1]].map(|x| x as u8);
        assert_eq!(engine.classify(&bytes, &mut scratch, &mut [0; 2]).unwrap(), Some(usize::from(y)));
    }
}

#[test]
fn float_files_give_the_network_back_bit_for_bit() {
    let network = xor().with_backend(Backend::PORTABLE);
    let file = network.to_file().unwrap();
    let copy = Network::from_bytes(&file).unwrap();
    assert_eq!((copy.shape(), bits(copy.params())), (network.shape(), bits(network.params())));
    // Wherever the bytes are.
    for start in 0..64 {
        let shifted = [&vec![0; start][..], &file].concat();
        assert_eq!(bits(Network::from_bytes(&shifted[start..]).unwrap().params()), bits(network.params()));
    }
    // A file is run in place with the same bits.
    let engine = float::Engine::new(file.view().unwrap()).unwrap();
    let (mut scratch, mut logits) =
        (vec![0.0; float::Engine::scratch_words(engine.view().header())], [0.0; 2]);
    engine.logits(&[255_u8, 0], &mut scratch, &mut logits).unwrap();
    assert_eq!(bits(&logits), bits(&network.logits(&[255u8, 0]).unwrap()));
    // Half precision rounds.
    let half = Network::from_bytes(&network.quantize(Dtype::F16, Packing::Generic, &X).unwrap()).unwrap();
    assert!(half.params().iter().zip(network.params()).all(|(h, p)| (h - p).abs() < 1e-3));
    assert_eq!(half.predict_all(&X).unwrap(), [0, 1, 1, 0]);

    let mut damaged = file.to_vec();
    damaged[70] ^= 1;
    assert!(matches!(Network::from_bytes(&damaged), Err(Error::Crc { .. })));
    let integers = network.quantize(Dtype::I8, Packing::Generic, &X).unwrap();
    assert_eq!(Network::from_bytes(&integers).err(), Some(Error::Dtype { found: "i8" }));
    assert!(Network::from_bytes(&[]).is_err());
}

#[cfg(feature = "std")]
#[test]
fn saved_files_are_loaded() {
    let folder = std::env::temp_dir().join(format!("selvedge-network-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (network, path) = (xor(), folder.join("xor.selv"));
    for _ in 0..2 {
        network.save(&path).unwrap();
        assert_eq!(bits(Network::load(&path).unwrap().params()), bits(network.params()));
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "a temporary file is left");
    assert!(network.save(folder.join("no/such/folder")).is_err());
    assert!(network.save("").is_err());
    std::fs::write(&path, b"something else").unwrap();
    assert_eq!(Network::load(&path).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The front and the step that it is made of give the same parameters, for any number of workers.
#[test]
fn it_is_the_training_without_a_heap() {
    let (pixels, labels) = images(50, 3);
    let start = Network::new(&[16, 9, 4], 2).unwrap().with_backend(Backend::PORTABLE);
    let options =
        FitOptions::default().with_epochs(2).with_batch_size(16).with_optimizer(Optimizer::SGD).with_seed(9);
    let mut params = start.params().to_vec();
    let (shape, mlp) = (start.shape(), Mlp::new(start.shape(), Backend::PORTABLE));
    let mut memory = vec![0.0; Workspace::floats(shape, 16)];
    let mut workspace = Workspace::new(shape, 16, &mut Arena::new(&mut memory)).unwrap();
    let (mut order, mut rng): (Vec<u32>, _) = ((0..50).collect(), Rng::new(9));
    for _ in 0..2 {
        rng.shuffle(&mut order);
        for index in order.chunks(16) {
            let labels: Vec<u8> = index.iter().map(|&n| labels[n as usize]).collect();
            let fill = |first: usize, rows: &mut [f32]| {
                Samples::Pixels(&pixels).gather(mlp.backend, &index[first..][..rows.len() / 16], rows);
            };
            let update = Update::Sgd { learning_rate: 1e-3 };
            mlp.step(&Serial, &mut params, &mut workspace, &labels, &fill, update).unwrap();
        }
    }
    for workers in [1, 3] {
        let mut network = start.clone();
        network.fit_on(&Threads(workers), &pixels, &labels, options).unwrap();
        assert_eq!(bits(network.params()), bits(&params), "{workers} workers");
    }
    // Pixels and their quotients are the same samples.
    let features: Vec<f32> = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
    let mut network = start.clone();
    network.fit(&features, &labels, options).unwrap();
    assert_eq!(bits(network.params()), bits(&params));
    let [a, b] = [network.evaluate(&pixels, &labels), network.evaluate(&features, &labels)];
    assert_eq!(a, b);
}

#[test]
fn misuse_is_an_error_and_changes_nothing() {
    let mut network = Network::new(&[2, 4, 2], 1).unwrap();
    let before = bits(network.params());
    let options = FitOptions::default().with_epochs(3);
    let mut fit = |x: &[f32], y: &[u8], options| network.fit(x, y, options).map(|_| ()).unwrap_err();
    let length = |what, expected, actual| Error::Length { what, expected, actual };
    assert_eq!(fit(&X, &Y[1..], options), length("labels", 4, 3));
    assert_eq!(fit(&X[1..], &Y, options), length("features", 8, 7));
    assert_eq!(fit(&[], &[], options), Error::NoSamples);
    assert_eq!(fit(&X, &[0, 1, 2, 0], options), Error::Label { row: 2, label: 2, classes: 2 });
    for bad in [f32::NAN, f32::INFINITY] {
        let mut x = X;
        x[5] = bad;
        assert_eq!(fit(&x, &Y, options), Error::NotFinite { row: 2, column: 1 });
    }
    for (options, name) in [
        (options.with_epochs(0), "epochs"),
        (options.with_batch_size(0), "batch_size"),
        (options.with_learning_rate(f32::NAN), "learning_rate"),
        (options.with_learning_rate(-0.1), "learning_rate"),
        (options.with_warmup(1.5), "warmup"),
        (options.with_weight_decay(f32::INFINITY), "weight_decay"),
        (options.with_label_smoothing(1.0), "label_smoothing"),
        (options.with_dropout(-0.5), "dropout"),
        (options.with_optimizer(Optimizer::Sgd { momentum: 1.0, nesterov: false }), "optimizer"),
        (options.with_optimizer(Optimizer::AdamW { beta1: 0.9, beta2: 2.0, epsilon: 0.0 }), "optimizer"),
    ] {
        let error = fit(&X, &Y, options);
        assert!(matches!(error, Error::Setting { name: n, .. } if n == name), "{name}: {error}");
        assert!(error.to_string().starts_with(name), "{error}");
    }
    let diverging = options.with_epochs(50).with_optimizer(Optimizer::SGD).with_learning_rate(1e30);
    assert_eq!(fit(&X, &Y, diverging), Error::NonFiniteLoss);
    assert_eq!(bits(network.params()), before);

    assert_eq!(network.predict(&[1.0f32; 3]).unwrap_err(), length("features", 4, 3));
    assert_eq!(network.predict(&X).unwrap_err(), length("sample", 2, 8));
    assert_eq!(network.predict(&[f32::NAN, 0.0]).unwrap_err(), Error::NotFinite { row: 0, column: 0 });
    assert_eq!(network.predict_all(&[] as &[u8]).unwrap_err(), Error::NoSamples);
    assert_eq!(network.evaluate(&X, &[]).unwrap_err(), length("labels", 4, 0));
    let range = network.quantize(Dtype::I8, Packing::Generic, &[0.5f32, 1.5]).unwrap_err();
    assert_eq!(range, Error::FeatureRange { row: 0, column: 1 });
    assert!(matches!(network.quantize(Dtype::F32, Packing::CortexM4, &X), Err(Error::PackingOf { .. })));

    assert_eq!(Network::new(&[2], 1).err(), Some(Error::Layers { layers: 0, max: 32 }));
    assert!(matches!(Network::new(&[2, 0], 1), Err(Error::Width { .. })));
    assert!(Network::from_params(network.shape(), &[0.0; 3]).is_err());
    network.params_mut()[0] = f32::NAN;
    assert!(network.to_file().is_err() && network.quantize(Dtype::I8, Packing::Generic, &X).is_err());
    assert_eq!(network.fit(&X, &Y, options).unwrap_err(), Error::NonFiniteLoss);
}

#[test]
fn it_shows_its_shape_and_not_its_parameters() {
    let network = Network::new(&[2, 16, 2], 1).unwrap().with_backend(Backend::PORTABLE);
    assert_eq!(format!("{network:?}"), "Network { shape: Shape(2-16-2), backend: \"portable\", .. }");
}
