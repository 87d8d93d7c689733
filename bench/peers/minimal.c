/* minimal.c - the least a program can do for one V2 JSON request and still answer it: epoll,
 * llhttp, ONNX Runtime's C API with bound buffers, one thread, one model, one row. No routes, no
 * checks of names, types or shapes, no limits, no time-outs, no counts, no logs, no second model.
 * It uses the project's number reader and writer and its table of ONNX Runtime's functions, so the
 * ratio to it is the price of everything else slipway does.
 *   minimal PORT MODEL.onnx ROW_IN ROW_OUT LIBONNXRUNTIME
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <llhttp.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "infer/onnx/ort.h"

enum { BODY_MAX = 1 << 16, READ_MAX = 1 << 16, EVENTS = 256, ROW_MAX = 4096 };

struct conn {
  llhttp_t parser; /* first: its callbacks get it */
  int fd;
  bool keep;
  size_t body_len, out_len;
  char body[BODY_MAX], out[2 * BODY_MAX];
};

static struct ort ort;
static struct ort_session *session;
static struct ort_binding *binding;
static float in[ROW_MAX], out[ROW_MAX];
static size_t row_in, row_out;

static void ok(struct ort_status *status)
{
  if (!status) return;
  fprintf(stderr, "minimal: %s\n", ort.GetErrorMessage(status));
  exit(1);
}

static void *whole_file(const char *path, size_t *len)
{
  FILE *file = fopen(path, "rb");
  char *bytes = file ? calloc(1, 64 << 20) : NULL;
  if (!bytes) exit(1);
  *len = fread(bytes, 1, 64 << 20, file);
  fclose(file);
  return bytes;
}

static void model_open(const char *path, const char *library)
{
  struct base {
    const void *const *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
  };
  const struct base *(*base_get)(void);
  void *lib = dlopen(library, RTLD_NOW);
  if (!lib) exit((fprintf(stderr, "minimal: %s\n", dlerror()), 1));
  *(void **)&base_get = dlsym(lib, "OrtGetApiBase");
  const void *const *table = base_get()->get_api(ORT_API);
#define SLOT(index, name, result, parameters) memcpy(&ort.name, &table[index], sizeof *table);
#include "infer/onnx/ort.def"
#undef SLOT
  struct ort_options *options;
  struct ort_value *value;
  int64_t dims[2] = {1, (int64_t)row_in};
  size_t len;
  void *bytes = whole_file(path, &len);
  ok(ort.CreateEnv(ORT_LOG_FATAL, "minimal", &ort.env));
  ok(ort.CreateSessionOptions(&options));
  ok(ort.SetIntraOpNumThreads(options, 1));
  ok(ort.CreateSessionFromArray(ort.env, bytes, len, options, &session));
  ok(ort.CreateCpuMemoryInfo(ORT_DEVICE_ALLOCATOR, ORT_MEMORY_DEFAULT, &ort.memory));
  ok(ort.CreateIoBinding(session, &binding));
  ok(ort.CreateTensorWithDataAsOrtValue(ort.memory, in, row_in * sizeof *in, dims, 2, ORT_FLOAT,
                                        &value));
  ok(ort.BindInput(binding, "x", value));
  dims[1] = (int64_t)row_out;
  ok(ort.CreateTensorWithDataAsOrtValue(ort.memory, out, row_out * sizeof *out, dims, 2, ORT_FLOAT,
                                        &value));
  ok(ort.BindOutput(binding, "y", value));
  free(bytes);
}

/* The numbers after "data": [ and nothing else of the body. */
static bool row_read(const char *at, size_t len)
{
  const char *end = at + len, *p = memmem(at, len, "\"data\"", 6);
  if (!p || !(p = memchr(p, '[', (size_t)(end - p)))) return false;
  p++;
  for (size_t i = 0; i < row_in; i++) {
    while (p < end && (*p == ' ' || *p == '[')) p++;
    const char *from = p;
    while (p < end && *p != ',' && *p != ']' && *p != ' ') p++;
    bool over = false;
    if (!text_read_f32(from, (size_t)(p - from), &in[i], &over) || over) return false;
    if (p < end) p++;
  }
  return true;
}

static size_t text_add(char *to, size_t at, const char *text)
{
  size_t len = strlen(text);
  memcpy(to + at, text, len);
  return at + len;
}

static void answer(struct conn *conn)
{
  static char body[BODY_MAX];
  char head[128], shape[32];
  const char *status = "200 OK";
  size_t n = 0;
  if (row_read(conn->body, conn->body_len)) {
    ok(ort.RunWithBinding(session, NULL, binding));
    n = text_add(body, n, "{\"model_name\":\"mlp\",\"outputs\":[{\"name\":\"y\",\"shape\":[1,");
    shape[text_print_u64(shape, row_out)] = '\0';
    n = text_add(body, text_add(body, n, shape), "],\"datatype\":\"FP32\",\"data\":[");
    for (size_t i = 0; i < row_out; i++) {
      if (i) body[n++] = ',';
      n += text_print_f32(body + n, out[i]);
    }
    n = text_add(body, n, "]}]}");
  } else {
    status = "400 Bad Request";
  }
  int len = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                     status, n);
  if (conn->out_len + (size_t)len + n > sizeof conn->out) exit(1);
  memcpy(conn->out + conn->out_len, head, (size_t)len);
  memcpy(conn->out + conn->out_len + len, body, n);
  conn->out_len += (size_t)len + n;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
  struct conn *conn = (struct conn *)parser;
  if (conn->body_len + len > sizeof conn->body) return -1;
  memcpy(conn->body + conn->body_len, at, len);
  conn->body_len += len;
  return 0;
}

static int on_whole(llhttp_t *parser)
{
  struct conn *conn = (struct conn *)parser;
  answer(conn);
  conn->keep = llhttp_should_keep_alive(parser);
  conn->body_len = 0;
  return 0;
}

/* True: the connection goes on. */
static bool conn_turn(struct conn *conn)
{
  static char bytes[READ_MAX];
  ssize_t got = recv(conn->fd, bytes, sizeof bytes, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return false;
  conn->keep = true;
  if (llhttp_execute(&conn->parser, bytes, (size_t)got) != HPE_OK) return false;
  /* Answers are small: what does not fit the socket's buffer ends the connection. */
  bool sent = !conn->out_len || send(conn->fd, conn->out, conn->out_len, MSG_NOSIGNAL) ==
                                    (ssize_t)conn->out_len;
  conn->out_len = 0;
  return sent && conn->keep;
}

static int listen_on(int port)
{
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&addr, sizeof addr) || listen(fd, 1024)) exit(1);
  return fd;
}

int main(int argc, char **argv)
{
  if (argc != 6) return 2;
  row_in = strtoul(argv[3], NULL, 10);
  row_out = strtoul(argv[4], NULL, 10);
  if (row_in > ROW_MAX || row_out > ROW_MAX) return 2;
  model_open(argv[2], argv[5]);
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_body = on_body;
  settings.on_message_complete = on_whole;
  int door = listen_on(atoi(argv[1])), poll = epoll_create1(0), one = 1;
  struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
  epoll_ctl(poll, EPOLL_CTL_ADD, door, &event);
  for (;;) {
    int n = epoll_wait(poll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      struct conn *conn = events[i].data.ptr;
      if (conn) {
        if (conn_turn(conn)) continue;
        close(conn->fd);
        free(conn);
        continue;
      }
      int fd = accept4(door, NULL, NULL, SOCK_NONBLOCK);
      if (fd < 0) continue;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      if (!(conn = calloc(1, sizeof *conn))) return 1;
      llhttp_init(&conn->parser, HTTP_REQUEST, &settings);
      conn->fd = fd;
      event = (struct epoll_event){.events = EPOLLIN, .data.ptr = conn};
      epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
  }
}
