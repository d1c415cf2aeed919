//! The names of the values of a row in what `export` writes for flash files, which do not hold them: `--schema` says them.

mod support;

use std::fs;

use support::{fails, succeeds};

#[test]
fn the_values_of_a_row_have_names() {
    let rows = (0..300).map(|n| format!("{},{},{}", n % 17, ["red", "green", "blue"][n % 3], (n * 7) % 40));
    let text = format!("level,the colour,y\n{}\n", rows.collect::<Vec<_>>().join("\n"));
    let here = support::folder_with_data();
    fs::write(here.join("table.csv"), text).unwrap();
    let words = "train --data table.csv --target y --task regress --hidden 6 --epochs 2 --out run -q";
    succeeds(&here, &words.split_whitespace().collect::<Vec<_>>());
    succeeds(&here, &["quantize", "run", "--dtype", "i8", "--input", "i16", "-o", "q.selv"]);
    let export = |format: &str, out: &str| {
        let words = ["export", "q.selv", "--schema", "run", "--format", format, "-o", out];
        succeeds(&here, &words);
    };
    export("c", "net.c");
    let header = fs::read_to_string(here.join("net.h")).unwrap();
    for line in [
        "    NET_INPUT_LEVEL = 0, /* level */",
        "    NET_INPUT_THE_COLOUR_BLUE = 1, /* the colour=blue */",
        "    NET_INPUT_THE_COLOUR_RED = 3 /* the colour=red */",
    ] {
        assert!(header.contains(line), "no {line} in {header}");
    }
    export("rust", "net.rs");
    let module = fs::read_to_string(here.join("net.rs")).unwrap();
    assert!(
        module.contains("pub const INPUT_NAMES: [&str; 4]") && module.contains("    \"the colour=green\",\n")
    );
    export("cmake", "netc");
    assert_eq!(
        fs::read_to_string(here.join("netc/include/netc.h")).unwrap().matches("NETC_INPUT_").count(),
        4
    );
    for format in ["onnx", "onnx-integer"] {
        export(format, "net.onnx");
        let graph = fs::read(here.join("net.onnx")).unwrap();
        let names = b"[\"level\",\"the colour=blue\",\"the colour=green\",\"the colour=red\"]";
        assert!(graph.windows(names.len()).any(|part| part == names), "{format}");
    }
    let words = [
        "export",
        "q.selv",
        "--schema",
        "run",
        "--format",
        "firmware",
        "--board",
        "mps2-an386",
        "-o",
        "board",
    ];
    succeeds(&here, &words);
    assert!(fs::read_to_string(here.join("board/README.md")).unwrap().contains("\n3. `the colour=red`\n"));
    let words = ["export", "q.selv", "--schema", "run", "--format", "npz", "-o", "net.npz"];
    assert!(fails(&here, &words, 2).contains("--schema goes with --format"));
    let words = ["export", "run", "--schema", "run", "--format", "c", "-o", "net.c"];
    assert!(fails(&here, &words, 2).contains("says its columns itself"));
    succeeds(&here, &["train", "--data", "data", "--hidden", "6", "--epochs", "1", "--out", "other", "-q"]);
    let words = ["export", "q.selv", "--schema", "other", "--format", "c", "-o", "net.c"];
    assert!(fails(&here, &words, 4).contains("made of"));
}
