// Ends the server in order when the process that started it is gone, however that ended: its end of our stdin closes.
const end = () => process.kill(process.pid, 'SIGTERM')
process.stdin.on('end', end).on('error', end).resume()
process.stdin.unref()
