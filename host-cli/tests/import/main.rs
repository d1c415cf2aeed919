//! Networks of other programs that do not say everything: what is taken, what is warned of, and what is asked.

mod support;

use std::fs;
use std::path::Path;

use host_cli::files::checksum;
use host_cli::memory::Floats;
use host_cli::model::{About, Activation, Model};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use selvedge::Shape;
use serde_json::Value;
use support::{TRAIN, fails, json_lines, run, small_data, succeeds, with};

/// Numbers that look random, of both signs.
fn noise(count: usize, salt: usize) -> Vec<f64> {
    (0..count).map(|n| (((n + salt) * 7919 % 251) as f64 / 125.0 - 1.0) / 4.0).collect()
}

/// A tensor's name, shape and values; of f64 where `wide`.
type Tensor<'a> = (&'a str, &'a [usize], Vec<f64>);

fn write(path: &Path, tensors: &[Tensor<'_>], wide: bool) {
    let bytes = |values: &[f64]| -> Vec<u8> {
        let narrow = |x: &f64| (*x as f32).to_le_bytes().to_vec();
        values.iter().flat_map(|x| if wide { x.to_le_bytes().to_vec() } else { narrow(x) }).collect()
    };
    let dtype = if wide { Dtype::F64 } else { Dtype::F32 };
    let data: Vec<_> = tensors.iter().map(|(.., values)| bytes(values)).collect();
    let views = tensors
        .iter()
        .zip(&data)
        .map(|((name, shape, _), data)| (*name, TensorView::new(dtype, shape.to_vec(), data).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// `6-5-5-4` of layers with some names, in which the two of equal widths differ.
fn three(path: &Path, names: [&str; 3]) {
    let [a, b, c] = names.map(|n| [format!("{n}.weight"), format!("{n}.bias")]);
    let tensors: [Tensor<'_>; 6] = [
        (&a[0], &[5, 6], noise(30, 1)),
        (&a[1], &[5], noise(5, 2)),
        (&b[0], &[5, 5], noise(25, 3)),
        (&b[1], &[5], noise(5, 4)),
        (&c[0], &[5, 5], noise(25, 5)),
        (&c[1], &[5], noise(5, 6)),
    ];
    write(path, &tensors, false);
}

/// Imports `file` as `net`; returns the JSON.
fn import(here: &Path, more: &[&str]) -> Value {
    json_lines(&succeeds(here, &[&["import", "-o", "net", "--json"], more].concat())).remove(0)
}

fn warnings(json: &Value) -> Vec<String> {
    json["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_string()).collect()
}

fn params(here: &Path, model: &str) -> Vec<f32> {
    Model::load(&here.join(model)).unwrap().params.to_vec()
}

#[test]
fn the_order_of_layers_is_asked_where_several_fit() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    three(&here.join("a.safetensors"), ["layer_one", "layer_two", "layer_three"]);
    let line = fails(here, &["import", "a.safetensors", "-o", "net"], 4);
    assert!(line.contains("layer_one,layer_three,layer_two or layer_one,layer_two,layer_three"), "{line}");
    assert!(line.contains("`--order a,b,..`: the 3 names"), "{line}");
    assert!(!here.join("net").exists());
    let json = import(here, &["a.safetensors", "--order", "layer_one,layer_two,layer_three"]);
    assert_eq!(json["tensors"][4]["from"], "layer_three.weight");
    let said = params(here, "net");
    // The same order by numbers, wherever they are in the names.
    for names in
        [["fc1", "fc2", "fc10"], ["layers.0.linear", "layers.1.linear", "layers.2.out"], ["d", "d_1", "d_2"]]
    {
        three(&here.join("b.safetensors"), names);
        import(here, &["b.safetensors"]);
        assert_eq!(params(here, "net"), said, "{names:?}");
    }
    for (order, why) in [
        ("layer_one,layer_tow,layer_three", "did you mean layer_two?"),
        ("layer_one,layer_two", "--order leaves out layer_three"),
        (
            "layer_two,layer_one,layer_three",
            "layer_one has 6 inputs, but layer_two in front of it has 5 outputs",
        ),
    ] {
        let line = fails(here, &["import", "a.safetensors", "-o", "none", "--order", order], 2);
        assert!(line.contains(why), "{line}");
    }
}

#[test]
fn the_activation_is_told_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    three(&here.join("a.safetensors"), ["0", "2", "4"]);
    let output = run(here, &["import", "a.safetensors", "-o", "net", "--json"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let json = json_lines(&String::from_utf8(output.stdout).unwrap()).remove(0);
    let told = warnings(&json);
    assert_eq!(told.len(), 2);
    assert!(told[1].contains("pixels of 0 to 1 were taken; `--inputs byte`"), "{told:?}");
    assert!(told[0].contains("ReLU was taken between the layers; check with `selvedge eval`"), "{told:?}");
    assert_eq!(stderr, format!("warning: {}\nwarning: {}\n", told[0], told[1]));
    assert_eq!(warnings(&import(here, &["a.safetensors", "--inputs", "unit"])), told[..1]);
    assert_eq!(Model::load(&here.join("net")).unwrap().about.activation, Activation::Relu);
    let shown = json_lines(&succeeds(here, &["inspect", "net", "--json"])).remove(0);
    assert_eq!(shown["activation"], "relu");
    assert!(succeeds(here, &["inspect", "net"]).contains("activation   relu"));
    // Our own files say it, and one layer has none.
    let again = succeeds(here, &["import", "net", "-o", "again", "--json"]);
    assert!(warnings(&json_lines(&again)[0]).is_empty(), "{again}");
    let line = fails(here, &["import", "net", "-o", "net"], 2);
    assert!(line.contains("net is read and would be replaced; name another file"), "{line}");
    succeeds(here, &["export", "net", "--format", "safetensors", "-o", "out"]);
    assert!(warnings(&import(here, &["out"])).is_empty());
    write(&here.join("one"), &[("weight", &[4, 6], noise(24, 1))], false);
    let json = import(here, &["one"]);
    assert!(warnings(&json).len() == 1 && json["tensors"][1]["from"].is_null(), "{json}");

    let net = fs::read(here.join("net")).unwrap();
    let with = |from: &str, to: &str| {
        let text = net.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = net.clone();
        bytes.splice(text..text + from.len(), to.bytes());
        let length = u64::from_le_bytes(net[..8].try_into().unwrap()) as usize + to.len() - from.len();
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
        checksum::sign_tensors(&mut bytes);
        fs::write(here.join("other"), bytes).unwrap();
    };
    // A file from before models said it, and one from after more are known.
    with("\\\"activation\\\":\\\"relu\\\",", "");
    assert_eq!(params(here, "other"), params(here, "net"));
    with("\\\"activation\\\":\\\"relu\\\"", "\\\"activation\\\":\\\"tanh\\\"");
    for words in [&["eval", "other", "--data", "demo"][..], &["import", "other", "-o", "none"]] {
        let line = fails(here, words, 4);
        assert!(
            line.contains("its activation is \"tanh\", which this version does not know, only \"relu\""),
            "{line}"
        );
    }
}

#[test]
fn shards_are_read_through_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    three(&here.join("whole"), ["0", "2", "4"]);
    import(here, &["whole"]);
    let whole = params(here, "net");
    let parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let first: [Tensor<'_>; 3] = [
        ("0.weight", &[5, 6], noise(30, 1)),
        ("0.bias", &[5], noise(5, 2)),
        ("2.weight", &[5, 5], noise(25, 3)),
    ];
    let second: [Tensor<'_>; 3] =
        [("2.bias", &[5], noise(5, 4)), ("4.weight", &[5, 5], noise(25, 5)), ("4.bias", &[5], noise(5, 6))];
    write(&here.join(parts[0]), &first, false);
    write(&here.join(parts[1]), &second, false);
    let index = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let at = |part: usize| move |(name, ..): &Tensor<'_>| ((*name).to_string(), Value::from(parts[part]));
        let mut map = first.iter().map(at(0)).chain(second.iter().map(at(1))).collect();
        change(&mut map);
        let json = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
        fs::write(here.join("model.safetensors.index.json"), json).unwrap();
    };
    let refused = |file: &str, why: &str| {
        let line = fails(here, &["import", file, "-o", "none"], 4);
        assert!(line.contains(why), "{line}");
    };
    index(&|_| {});
    import(here, &["model.safetensors.index.json"]);
    assert_eq!(params(here, "net"), whole);
    refused(
        parts[1],
        "shard 2 of 2, which holds some of the layers; name the index, model.safetensors.index.json",
    );
    let all = "model.safetensors.index.json";
    let line = fails(here, &["eval", all, "--data", "demo"], 4);
    assert!(line.contains("`selvedge import model.safetensors.index.json -o net`"), "{line}");
    index(&|map| drop(map.remove("2.bias")));
    refused(all, "holds 2.bias, which the index has not at all: the shards are not of one model");
    index(&|map| drop(map.insert("2.bias".into(), parts[0].into())));
    refused(all, "holds 2.bias, which the index has in model-00001-of-00002.safetensors");
    index(&|map| drop(map.insert("6.weight".into(), parts[0].into())));
    refused(all, "model-00001-of-00002.safetensors does not hold 6.weight");
    for outside in ["../whole", "/etc/passwd", "", "a/../../whole"] {
        index(&|map| drop(map.insert("2.bias".into(), outside.into())));
        refused(all, "outside its folder");
    }
    index(&|map| drop(map.insert("2.bias".into(), "none".into())));
    refused(all, "cannot read its shard none: No such file or directory");
    fs::write(here.join(parts[1]), "version https://git-lfs.github.com/spec/v1\n").unwrap();
    index(&|_| {});
    refused(
        all,
        "a Git LFS pointer, which stands for a file that was not fetched; fetch the file itself with `git lfs pull`",
    );
    fs::write(here.join(all), "{\"weight_map\": [1]}").unwrap();
    refused(all, "a damaged index");
}

/// The logits of one image, in f64.
fn logits(here: &Path, model: &str, x: &[f64]) -> Vec<f64> {
    let model = Model::load(&here.join(model)).unwrap();
    let layers = model.shape.split(&model.params).unwrap();
    let mut x = x.to_vec();
    for (n, layer) in layers.iter().enumerate() {
        let o = layer.biases.len();
        let sum = |c: usize| {
            let row = x.iter().enumerate().map(|(i, x)| x * f64::from(layer.weights[i * o + c]));
            row.sum::<f64>() + f64::from(layer.biases[c])
        };
        let relu = |z: f64| if n + 1 < layers.len() { z.max(0.0) } else { z };
        x = (0..o).map(sum).map(relu).collect();
    }
    x
}

fn close(found: &[f64], expected: &[f64]) {
    assert!(found.len() == expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
}

/// `w x + b` of row-major weights.
fn dense(w: &[f64], b: &[f64], x: &[f64]) -> Vec<f64> {
    w.chunks_exact(x.len())
        .zip(b)
        .map(|(w, b)| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b)
        .collect()
}

#[test]
fn batch_normalisations_are_folded() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let x = noise(6, 9);
    let (w1, b1, w2, b2) = (noise(30, 1), noise(5, 2), noise(20, 3), noise(4, 4));
    let variance: Vec<f64> = noise(5, 5).iter().map(|x| x * x + 0.1).collect();
    let (gamma, beta, mean) = (noise(5, 6), noise(5, 7), noise(5, 8));
    let norm = |x: &[f64], eps: f64| -> Vec<f64> {
        (0..5).map(|n| (x[n] - mean[n]) / (variance[n] + eps).sqrt() * gamma[n] + beta[n]).collect()
    };
    let relu = |x: Vec<f64>| x.into_iter().map(|x| x.max(0.0)).collect::<Vec<_>>();
    let front = relu(norm(&dense(&w1, &b1, &x), 1e-5));
    let behind = norm(&relu(dense(&w1, &b1, &x)), 1e-5);
    let keras = relu(norm(&dense(&w1, &b1, &x), 1e-3));
    let torch = ["weight", "bias", "running_mean", "running_var"];
    for (names, parts, hidden, told) in [
        (["0", "1", "3"], torch, &front, "folded into 0 with eps 1e-5, with ReLU after it"),
        (["fc1", "bn1", "fc2"], torch, &front, "folded into fc1 with eps 1e-5"),
        (["net.0.lin", "net.0.norm", "net.1.lin"], torch, &front, "folded into net.0.lin"),
        (["first", "norm", "head"], torch, &front, "folded into first"),
        (
            ["0", "2", "3"],
            torch,
            &behind,
            "folded into 3 with eps 1e-5, with ReLU, or nothing, in front of it",
        ),
        (
            ["d", "d_1", "d_2"],
            ["gamma", "beta", "moving_mean", "moving_variance"],
            &keras,
            "folded into d with eps 1e-3",
        ),
    ] {
        let [first, bn, second] = names.map(|n| move |part: &str| format!("{n}.{part}"));
        let file: [(String, &[usize], Vec<f64>); 8] = [
            (first("weight"), &[5, 6], w1.clone()),
            (first("bias"), &[5], b1.clone()),
            (bn(parts[0]), &[5], gamma.clone()),
            (bn(parts[1]), &[5], beta.clone()),
            (bn(parts[2]), &[5], mean.clone()),
            (bn(parts[3]), &[5], variance.clone()),
            (second("weight"), &[4, 5], w2.clone()),
            (second("bias"), &[4], b2.clone()),
        ];
        let tensors: Vec<Tensor<'_>> = file.iter().map(|(n, s, v)| (&n[..], *s, v.clone())).collect();
        write(&here.join("a"), &tensors, true);
        let told_of = warnings(&import(here, &["a"]));
        assert!(told_of.iter().any(|w| w.contains(told)), "{names:?}: {told_of:?}");
        assert!(told_of.iter().any(|w| w.contains("64 bits (F64) and were rounded to f32")), "{told_of:?}");
        close(&logits(here, "net", &x), &dense(&w2, &b2, hidden));
    }
    // Of a width that no layer has, and of variances that are none.
    let bad = |width: usize, variance: f64, why: &str| {
        let each = [width];
        let tensors: [Tensor<'_>; 4] = [
            ("0.weight", &[5, 6], w1.clone()),
            ("1.running_mean", &each, vec![0.0; width]),
            ("1.running_var", &each, vec![variance; width]),
            ("3.weight", &[4, 5], w2.clone()),
        ];
        write(&here.join("a"), &tensors, false);
        let line = fails(here, &["import", "a", "-o", "none"], 4);
        assert!(line.contains(why), "{line}");
    };
    bad(3, 1.0, "1 has 3 units, but 0 in front of it has 5 outputs");
    bad(5, -1.0, "1.running_var holds -1 at position 0, which is no variance");
}

#[test]
fn other_ways_to_write_a_layer() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    three(&here.join("a"), ["0", "1", "2"]);
    import(here, &["a"]);
    let plain = params(here, "net");
    // Keras' kernels are (in, out).
    let turned = |values: Vec<f64>, i: usize| -> Vec<f64> {
        let o = values.len() / i;
        (0..values.len()).map(|n| values[n % o * i + n / o]).collect()
    };
    let tensors: [Tensor<'_>; 6] = [
        ("dense/kernel:0", &[6, 5], turned(noise(30, 1), 6)),
        ("dense/bias:0", &[5], noise(5, 2)),
        ("dense_1/kernel:0", &[5, 5], turned(noise(25, 3), 5)),
        ("dense_1/bias:0", &[5], noise(5, 4)),
        ("dense_2/kernel", &[5, 5], turned(noise(25, 5), 5)),
        ("dense_2/bias", &[5], noise(5, 6)),
    ];
    write(&here.join("a"), &tensors, false);
    import(here, &["a"]);
    assert_eq!(params(here, "net"), plain);
    let x = noise(6, 7);
    import(here, &["a", "--inputs", "byte"]);
    let bytes: Vec<f64> = x.iter().map(|x| x / 255.0).collect();
    let as_bytes = logits(here, "net", &bytes);
    import(here, &["a", "--inputs", "unit"]);
    close(&as_bytes, &logits(here, "net", &x));
    let large: [Tensor<'_>; 1] = [("0.weight", &[4, 1], vec![1e39, 1.0, 1.0, 1.0])];
    write(&here.join("a"), &large, true);
    assert!(
        fails(here, &["import", "a", "-o", "none"], 4)
            .contains("0.weight holds 1e39 at position 0, which f32 cannot")
    );
    for (name, why) in
        [("0.scale", "0.scale that belongs to no layer"), ("0.gamma", "0.gamma that belongs to no layer")]
    {
        let tensors: [Tensor<'_>; 2] = [("0.weight", &[4, 5], noise(20, 1)), (name, &[4], noise(4, 1))];
        write(&here.join("a"), &tensors, false);
        let line = fails(here, &["import", "a", "-o", "none"], 4);
        assert!(line.contains(why), "{line}");
    }
}

/// Nothing answers "class 0, probability 1".
#[test]
fn a_network_of_one_output_is_refused_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    let tensors: [Tensor<'_>; 2] = [("fc1.weight", &[1, 36], noise(36, 1)), ("fc1.bias", &[1], noise(1, 2))];
    write(&here.join("foreign"), &tensors, false);
    let why = "it has one output, as for regression or a yes-or-no decision";
    assert!(fails(here, &["import", "foreign", "-o", "none"], 4).contains(why));
    let shape = Shape::new(&[36, 1]).unwrap();
    let params = Floats::zeroed(shape.params(), "a test").unwrap();
    Model { shape, params, about: About::default() }.save(&here.join("own")).unwrap();
    for words in [
        &["eval", "own", "--data", "data"][..],
        &["predict", "own", "--index", "0", "--data", "data"],
        &["train", "--from", "own", "--data", "data", "--out", "none"],
        &["quantize", "own", "--dtype", "i8", "--data", "data", "-o", "none"],
        &["export", "own", "--format", "onnx", "-o", "none"],
        &["export", "own", "--format", "selv", "-o", "none"],
        &["import", "own", "-o", "none"],
        &["inspect", "own"],
    ] {
        assert!(fails(here, words, 4).contains(why), "{words:?}");
        // A state dict of another program's is a model when it is imported, not before.
        let words: Vec<_> = words.iter().map(|w| if *w == "own" { "foreign" } else { w }).collect();
        let line = fails(here, &words, 4);
        let hint =
            if words[0] == "import" { why } else { "`selvedge import foreign -o net` makes a model of it" };
        assert!(line.contains(hint), "{words:?}: {line}");
    }
    assert!(!here.join("none").exists());
}

#[test]
fn models_with_gamma_go_out_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    let accuracy = |model: &str| succeeds(here, &["eval", model, "--data", "data", "--json"]);
    let gamma = ["--gamma", "0.45", "--epochs", "1", "-q", "--out"];
    succeeds(here, &with(&TRAIN, &with(&gamma, &["run"])));
    let trained = Model::load(&here.join("run")).unwrap();
    succeeds(here, &["export", "run", "--format", "selv", "-o", "run.selv"]);
    for (model, format) in
        [("run", "onnx"), ("run", "safetensors"), ("run.selv", "onnx"), ("run.selv", "safetensors")]
    {
        succeeds(here, &["export", model, "--format", format, "-o", "out"]);
        let json = import(here, &["out"]);
        assert!(warnings(&json).is_empty(), "{json}");
        let back = Model::load(&here.join("net")).unwrap();
        assert_eq!(
            (&back.params[..], &back.about.classes),
            (&trained.params[..], &trained.about.classes),
            "{model} {format}"
        );
        assert_eq!(back.about.normalisation.table(), trained.about.normalisation.table());
        assert_eq!(accuracy("net"), accuracy("run"));
        for flag in [&["--std", "0.5"][..], &["--inputs", "byte"]] {
            let line = fails(here, &[&["import", "out", "-o", "none"], flag].concat(), 2);
            assert!(line.contains("the file says itself how its inputs are normalised"), "{line}");
        }
    }
    // What is standardised too is folded, and rounds.
    succeeds(here, &with(&TRAIN, &with(&["--standardise", "pixel"], &with(&gamma, &["both"]))));
    succeeds(here, &["export", "both", "--format", "onnx", "-o", "out"]);
    import(here, &["out"]);
    let of = |text: String| json_lines(&text)[0]["loss"].as_f64().unwrap();
    assert!((of(accuracy("net")) - of(accuracy("both"))).abs() < 1e-5);
    // Integers are rounded, whichever way they went out.
    succeeds(here, &["quantize", "run", "--dtype", "i8", "-o", "i8"]);
    for (format, why) in [
        ("safetensors", "an export of a flash file of integers, whose weights are rounded; import the model"),
        ("onnx", "import the network from before it was quantized"),
        ("onnx-integer", "import the network from before it was quantized"),
    ] {
        succeeds(here, &["export", "i8", "--format", format, "-o", "out"]);
        let line = fails(here, &["import", "out", "-o", "none"], 4);
        assert!(line.contains(why), "{format}: {line}");
    }
}
