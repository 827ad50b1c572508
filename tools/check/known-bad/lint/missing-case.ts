// Wrong: 'draining' falls out of the switch.
declare const state: 'open' | 'draining';
switch (state) {
  case 'open':
}
