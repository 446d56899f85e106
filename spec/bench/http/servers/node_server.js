// The contender node: node_server.js MODE DIRECTORY (see ../load.c). Prints the port.
const fs = require('fs')
const http = require('http')
const [mode, directory] = process.argv.slice(2)
const BODY = Buffer.alloc(1024, 'x')

function get (request, response) {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length })
  response.end(BODY)
}

function file (request, response) {
  const path = directory + '/' + mode
  response.writeHead(200, { 'Content-Length': fs.statSync(path).size })
  fs.createReadStream(path, { highWaterMark: 1 << 18 }).pipe(response)
}

const server = http.createServer({ noDelay: true }, mode.startsWith('file') ? file : get)
server.keepAliveTimeout = 60000
if (mode === 'ws') {
  const { WebSocketServer } = require('ws')
  new WebSocketServer({ server }).on('connection', ws => {
    ws.on('message', (data, binary) => ws.send(data, { binary }))
    ws.on('error', () => {})
  })
}
server.listen(0, '127.0.0.1', 1024, () => console.log(server.address().port))
