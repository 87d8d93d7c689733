// main.rs - what a good programmer would write by hand in Rust for one model: axum, serde and the
// ort crate, hard-wired to one input x and one output y of FP32. One thread: the peers get one core.
//   peer PORT MODEL.onnx ROW_IN ROW_OUT        (ORT_DYLIB_PATH names ONNX Runtime)
// SPDX-License-Identifier: MIT
use std::sync::{Arc, Mutex};

use axum::{extract::State, http::StatusCode, routing::post, serve::ListenerExt, Json, Router};
use ort::{session::Session, value::TensorRef};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<i64>,
    datatype: String,
    data: Vec<f32>,
}

#[derive(Deserialize)]
struct Request {
    inputs: Vec<Input>,
}

#[derive(Serialize)]
struct Output {
    name: &'static str,
    shape: [i64; 2],
    datatype: &'static str,
    data: Vec<f32>,
}

#[derive(Serialize)]
struct Response {
    model_name: &'static str,
    outputs: [Output; 1],
}

struct Model {
    session: Mutex<Session>,
    row_in: i64,
}

type Refusal = (StatusCode, String);

fn refuse(status: StatusCode, why: impl ToString) -> Refusal {
    (status, why.to_string())
}

async fn infer(
    State(model): State<Arc<Model>>,
    Json(request): Json<Request>,
) -> Result<Json<Response>, Refusal> {
    let bad = |why: &str| refuse(StatusCode::BAD_REQUEST, why);
    let [input] = request.inputs.as_slice() else {
        return Err(bad("one input, please"));
    };
    if input.name != "x" || input.datatype != "FP32" {
        return Err(bad("the input is x, FP32"));
    }
    if input.shape.len() != 2
        || input.shape[1] != model.row_in
        || input.shape[0] * model.row_in != input.data.len() as i64
    {
        return Err(bad("the shape does not fit"));
    }
    let failed = |why: ort::Error| refuse(StatusCode::INTERNAL_SERVER_ERROR, why);
    let x = TensorRef::from_array_view((input.shape.as_slice(), input.data.as_slice()))
        .map_err(failed)?;
    let mut session = model.session.lock().unwrap();
    let outputs = session.run(ort::inputs!["x" => x]).map_err(failed)?;
    let (shape, data) = outputs["y"].try_extract_tensor::<f32>().map_err(failed)?;
    Ok(Json(Response {
        model_name: "mlp",
        outputs: [Output {
            name: "y",
            shape: [shape[0], shape[1]],
            datatype: "FP32",
            data: data.to_vec(),
        }],
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let environment = ort::init().with_telemetry(false).build().unwrap();
    let session = Session::builder(&environment)
        .unwrap()
        .with_intra_threads(1)
        .unwrap()
        .commit_from_file(&args[2])
        .unwrap();
    let model = Arc::new(Model {
        session: Mutex::new(session),
        row_in: args[3].parse().unwrap(),
    });
    let app = Router::new()
        .route("/v2/models/mlp/infer", post(infer))
        .with_state(model);
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", args[1]))
        .await
        .unwrap()
        .tap_io(|tcp| tcp.set_nodelay(true).unwrap());
    axum::serve(listener, app).await.unwrap();
}
