// server.js - Node's http module and onnxruntime-node, hard-wired to one model.
//   node server.js PORT MODEL.onnx ROW_IN ROW_OUT
// SPDX-License-Identifier: MIT
'use strict';
const http = require('http');
const ort = require('onnxruntime-node');

async function main() {
  const [port, file, rowIn, rowOut] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: 1 });

  async function infer(body) {
    const input = JSON.parse(body).inputs[0];
    if (input.shape[1] !== Number(rowIn)) throw new Error('the shape does not fit');
    const x = new ort.Tensor('float32', Float32Array.from(input.data), input.shape);
    const { y } = await session.run({ x });
    return JSON.stringify({
      model_name: 'mlp',
      outputs: [{ name: 'y', shape: [y.dims[0], Number(rowOut)], datatype: 'FP32',
                  data: Array.from(y.data) }],
    });
  }

  http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      infer(parts.length === 1 ? parts[0] : Buffer.concat(parts)).then((text) => {
        response.writeHead(200, { 'content-type': 'application/json',
                                  'content-length': Buffer.byteLength(text) });
        response.end(text);
      }, (error) => {
        response.writeHead(400);
        response.end(String(error));
      });
    });
  }).listen(Number(port), '127.0.0.1', 1024);
}
main();
