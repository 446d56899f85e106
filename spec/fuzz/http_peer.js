// node's parser of HTTP (llhttp) as a server: it connects to the port in its argument, receives batches of messages and
// says of each what it finds in it. Every length is 4 bytes, the low one first.
//
// A batch: its length, and for each item its length, a letter (Q: requests, R: responses, H: responses to HEAD) and
// the bytes. The answer is a batch too: for each item the number of messages in it and what is in each, and what comes
// after them, as http.lua makes it from csock's own parser.
'use strict';
process.removeAllListeners('warning');
process.on('warning', () => {});
const { HTTPParser, methods } = require('_http_common');
const parser = new HTTPParser();

// What one message's bytes gave so far.
let found, letter, head, body, trailers, over;

function list(headers) {
  return headers.map((s) => s + '\0').join('');
}

// Trailers; and what comes before kOnHeadersComplete where there are many headers, or there have been trailers.
parser[HTTPParser.kOnHeaders | 0] = function(headers, url) {
  if (head === null) {
    this.pending.push(...headers);
    this.pendingUrl += url;
  } else {
    trailers.push(...headers);
  }
};

parser[HTTPParser.kOnHeadersComplete | 0] = function(major, minor, headers, method, url, status, reason, upgrade, keep) {
  if (over) return 1;
  headers = this.pending.concat(headers || []);
  url = this.pendingUrl + (url || '');
  this.pending = [];
  this.pendingUrl = '';
  const first = letter === 'Q' ? methods[method] + '\0' + url : status + '\0' + reason;
  head = `${first}\0${major}${minor}\0${upgrade ? 'upgrade' : keep ? 'keep' : 'close'}\0${list(headers)}`;
  body = '';
  trailers = [];
  if (upgrade) {
    found.push(head);
    over = 'upgrade';
    return 2;
  }
  this.keep = keep;
  return letter === 'H' ? 1 : 0;
};

parser[HTTPParser.kOnBody | 0] = function(bytes, at, n) {
  if (over) return;
  body += at === undefined ? bytes.latin1Slice() : bytes.latin1Slice(at, at + n);
};

parser[HTTPParser.kOnMessageComplete | 0] = function() {
  if (over) return;
  found.push(`${head}\0${body}\0${list(trailers)}`);
  head = null;
  if (!this.keep) over = 'close';
};

// Looks at the bytes of an item: what comes after the messages in it.
function look(bytes) {
  found = [];
  head = null;
  over = null;
  parser.pending = [];
  parser.pendingUrl = '';
  parser.initialize(letter === 'Q' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {});
  let result = parser.execute(bytes);
  if (!over && !(result instanceof Error)) {
    const before = found.length;
    const end = letter === 'Q' ? undefined : parser.finish(); // a body that ends with the connection
    if (found.length === before && end instanceof Error) result = new Error;
  }
  return over || (result instanceof Error ? result.code || 'more' : 'more');
}

function number(n) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
}

const socket = require('net').connect(Number(process.argv[2]), '127.0.0.1');
let input = Buffer.alloc(0);
socket.on('data', (data) => {
  input = input.length ? Buffer.concat([input, data]) : data;
  while (input.length >= 4 && input.length >= 4 + input.readUInt32LE(0)) {
    const end = 4 + input.readUInt32LE(0);
    const answers = [];
    for (let at = 4; at < end;) {
      const n = input.readUInt32LE(at);
      letter = String.fromCharCode(input[at + 4]);
      const last = look(input.subarray(at + 5, at + 5 + n));
      answers.push(number(found.length));
      for (const text of [...found, last]) answers.push(number(text.length), Buffer.from(text, 'latin1'));
      at += 5 + n;
    }
    const all = Buffer.concat(answers);
    socket.write(Buffer.concat([number(all.length), all]));
    input = input.subarray(end);
  }
});
socket.on('end', () => process.exit(0));
socket.on('error', () => process.exit(0));
