//! State dicts: the order of layers, their activation, shards, and the other ways to store a layer.

use super::*;

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
    assert!(told[0].contains("ReLU was taken between the layers; say another with --activation"), "{told:?}");
    assert_eq!(stderr, format!("warning: {}\nwarning: {}\n", told[0], told[1]));
    assert_eq!(warnings(&import(here, &["a.safetensors", "--inputs", "unit"])), told[..1]);
    assert_eq!(Model::load(&here.join("net")).unwrap().about.activation, HiddenActivations::default());
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
        files::safetensors::sign(&mut bytes);
        fs::write(here.join("other"), bytes).unwrap();
    };
    // A file from before models said it, and one from after more are known.
    with("\\\"activation\\\":\\\"relu\\\",", "");
    assert_eq!(params(here, "other"), params(here, "net"));
    with("\\\"activation\\\":\\\"relu\\\"", "\\\"activation\\\":\\\"gelu\\\"");
    for words in [&["eval", "other", "--data", "demo"][..], &["import", "other", "-o", "none"]] {
        let line = fails(here, words, 4);
        let why =
            "this version does not know its activation: there is no activation gelu; write relu, leaky-relu";
        assert!(line.contains(why), "{line}");
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
