// Runs a program that knows nothing of supervisors as if it did: it is told to leave when standard input ends.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const [program = '', ...args] = process.argv.slice(2);
const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
const leave = (): void => void child.kill('SIGTERM');

process.on('SIGTERM', leave).on('SIGINT', leave).on('SIGHUP', leave);
process.stdin.on('end', leave).on('close', leave).on('error', leave).resume();
child.on('error', (error) => {
  process.stderr.write(`${program} cannot be started: ${error.message}\n`);
  process.exit(127);
});
child.on('exit', (code, signal) => process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
