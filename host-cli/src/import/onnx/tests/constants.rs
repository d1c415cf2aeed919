//! Operators on constants alone: what they make, and what of them is refused since the graph would become another one.

use super::super::tensor::elements;
use super::exporters::{flattened, input, integers, ints};
use super::{attribute, file, graph, node, read, refused, taken, tensor};
use crate::files::onnx::{Node, Tensor, dtype};

/// Expects that a graph which reshapes its input to a computed `to` is refused.
fn case(nodes: &[Node], constants: Vec<Tensor>, what: &str) {
    let nodes = [nodes, &[node("Reshape", &["x", "to"], "flat", &[])]].concat();
    let why = read(&file(flattened(&[0, 1, 3], nodes, constants)), None, None, None).unwrap_err();
    assert!(why.contains(what), "{what}: {why}");
}

#[test]
fn sizes_of_more_than_one_dimension_are_refused() {
    let product = |attributes: &[_]| [node("ReduceProd", &["sizes"], "to", attributes)];
    let sizes = |dims: &[i64]| vec![integers("sizes", dims, &[1, 3])];
    let flat = "ReduceProd: of 2 dimensions is not supported";
    case(&product(&[ints("axes", &[1])]), sizes(&[1, 2]), flat);
    case(&product(&[]), sizes(&[2, 1]), flat);
    // Without axes it may also do nothing.
    let nothing = attribute("noop_with_empty_axes", 1, 0.0);
    case(&product(&[nothing]), sizes(&[2]), "ReduceProd has noop_with_empty_axes 1, expected 0");

    let joined = |axis: i64| [node("Concat", &["a", "b"], "to", &[attribute("axis", axis, 0.0)])];
    let parts = |dims: &[i64]| vec![integers("a", dims, &[-1]), integers("b", &[1], &[3])];
    case(&joined(0), parts(&[1, 1]), "Concat: of 2 dimensions is not supported");
    case(&joined(0), parts(&[]), "Concat: of 0 dimensions is not supported");
    case(&joined(1), parts(&[1]), "Concat has axis 1 of 1 dimensions");
    case(&joined(-2), parts(&[1]), "Concat has axis -2 of 1 dimensions");
}

#[test]
fn integers_stay_integers() {
    // -(3) / 2 is -1, and |-7| / 2 is 3.
    let nodes = vec![
        node("Neg", &["three"], "below", &[]),
        node("Div", &["below", "two"], "rows", &[]),
        node("Abs", &["minus"], "seven", &[]),
        node("Div", &["seven", "two"], "width", &[]),
        node("ReduceProd", &["width"], "cols", &[ints("axes", &[0])]),
        node("Concat", &["rows", "cols"], "to", &[attribute("axis", -1, 0.0)]),
        node("Reshape", &["x", "to"], "flat", &[]),
    ];
    let constants =
        vec![integers("three", &[1], &[3]), integers("two", &[], &[2]), integers("minus", &[1], &[-7])];
    assert_eq!(taken(flattened(&[0, 1, 3], nodes, constants)).layers, taken(graph()).layers);

    let of = |op: &str| [node(op, &["sizes"], "to", &[])];
    for op in ["Neg", "Abs"] {
        case(&of(op), vec![integers("sizes", &[2], &[1, i64::MIN])], &format!("{op} overflows"));
    }
    for op in ["Sqrt", "Reciprocal", "Exp"] {
        let what = format!("{op}: sizes is of integers, expected FLOAT");
        case(&of(op), vec![integers("sizes", &[2], &[-1, 3])], &what);
    }
    let batch = [node("Shape", &["x"], "shape", &[]), node("Neg", &["shape"], "to", &[])];
    case(&batch, vec![], "Neg: a shape depends on the size of the batch");
    // Floats of weights are what they were.
    let mut g = graph();
    g.node.insert(0, node("Neg", &["b1"], "b3", &[]));
    g.node[2].input[2] = "b3".into();
    assert_eq!(taken(g).layers[0].biases, [-1.0, -2.0]);
}

#[test]
fn a_dropout_of_a_constant_that_drops_is_refused() {
    let dropped = |mode: i64| {
        let mut g = graph();
        g.initializer.push(Tensor { data_type: dtype::BOOL, ..integers("mode", &[], &[]) });
        g.initializer.last_mut().unwrap().int32_data = vec![mode as i32];
        g.node.insert(0, node("Dropout", &["b1", "", "mode"], "b3", &[]));
        g.node[2].input[2] = "b3".into();
        g
    };
    assert_eq!(taken(dropped(0)).layers, taken(graph()).layers);
    refused(|g| *g = dropped(1), "Dropout drops in inference too; export the model in eval mode");
}

/// Dimensions whose product overflows, also where one of 0 hides it.
#[test]
fn sizes_that_overflow_are_refused() {
    const LONG: usize = 1 << 40;
    for (dims, expected) in [
        (&[][..], Some(1)),
        (&[2, 3], Some(6)),
        (&[0, LONG], Some(0)),
        (&[LONG, LONG], None),
        (&[0, LONG, LONG], None),
        (&[LONG, LONG, 0], None),
    ] {
        assert_eq!(elements(dims), expected, "{dims:?}");
    }
    let long = LONG as i64;
    for op in ["Flatten", "Transpose"] {
        let empty = |g: &mut super::Graph| {
            g.initializer.push(Tensor { float_data: vec![], ..tensor("none", &[0]) });
            g.initializer.last_mut().unwrap().dims = vec![0, long, long];
            g.node.insert(0, node(op, &["none"], "b3", &[]));
            g.node[2].input[2] = "b3".into();
        };
        refused(empty, "none has shape [0, 1099511627776, 1099511627776]");
    }
    let sizes = || vec![integers("sizes", &[3], &[0, long, long])];
    case(&[node("ConstantOfShape", &["sizes"], "to", &[])], sizes(), "ConstantOfShape makes too much");
    let arranged =
        [Tensor { float_data: vec![], ..tensor("none", &[0]) }, integers("sizes", &[3], &[long, 0, long])];
    let allowed = [node("Reshape", &["none", "sizes"], "to", &[attribute("allowzero", 1, 0.0)])];
    case(&allowed, arranged.to_vec(), "Reshape: none of shape [0] does not become");
    let spread = vec![integers("none", &[0, long], &[])];
    let joined = [
        node("Unsqueeze", &["none"], "row", &[ints("axes", &[2])]),
        node("Unsqueeze", &["none"], "column", &[ints("axes", &[1])]),
        node("Add", &["row", "column"], "to", &[]),
    ];
    case(&joined, spread, "Add makes too much");
    refused(
        |g| {
            let axis = attribute("axis", i64::MIN, 0.0);
            g.node.push(node("ArgMax", &["y"], "label", &[axis]));
            g.output[0].name = "label".into();
        },
        "ArgMax has axis -9223372036854775808, expected 1",
    );
    // An image of more pixels than can be counted is none.
    let mut g = graph();
    g.input = vec![input("x", dtype::FLOAT, &[0, long, long])];
    assert_eq!(taken(g).image, None);
}
