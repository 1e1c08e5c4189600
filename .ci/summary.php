<?php

declare(strict_types=1);

// Adds up what bin/test left in a folder, and ends with 1 where anything failed. The last line is for programs:
// "N passed, N failed, N skipped"; a check without tests of its own counts as one.

$folder = $argv[1];
$read = static fn (string $name): array => is_file("{$folder}/{$name}") ? file("{$folder}/{$name}", FILE_IGNORE_NEW_LINES) : [];
$passed = $failed = 0;
$skips = [];
$failures = [];

foreach ($read('checks') as $line) {
    [$outcome, $name] = explode(' ', $line, 2);
    match ($outcome) {
        'ok' => $passed++,
        'skipped' => $skips[] = ['checks', ...explode(': ', $name, 2)],
        default => $failures[] = $name,
    };
}
foreach (glob("{$folder}/*.xml") as $file) {
    $name = basename($file, '.xml');
    $report = simplexml_load_file($file);
    $tests = $report === false ? [] : $report->xpath('//testcase');
    $skipped = $report === false ? [] : $report->xpath('//testcase[skipped]');
    $broken = $report === false ? [] : $report->xpath('//testcase[failure or error]');
    foreach ($broken as $test) {
        $failures[] = "{$name}: {$test['classname']}::{$test['name']}";
    }
    $reasons = [];
    // PHPUnit's report does not give the reasons; its log of events does.
    foreach (explode("\nTest ", implode("\n", $read("{$name}.events"))) as $event) {
        if (preg_match('/^(?:Suite )?Skipped \((.+?)\)\n(.*)/s', $event, $match) === 1) {
            $reasons[$match[1]] = strtok($match[2], "\n");
        }
    }
    foreach ($skipped as $test) {
        $id = "{$test['classname']}::{$test['name']}";
        $method = $test['class'] . '::' . preg_replace('/ with data set (?:"(.*)"|#(\d+))$/s', '#$1$2', (string) $test['name']);
        $skips[] = [$name, $id, trim((string) $test->skipped['message']) ?: $reasons[$method] ?? 'no reason given'];
    }
    $passed += count($tests) - count($skipped) - count($broken);
    printf("%s: %d tests, %d failed, %d skipped\n", $name, count($tests), count($broken), count($skipped));
}
// A suite may fail as a whole: a crash, a warning, output where none belongs.
foreach ($read('suites') as $line) {
    $failures === [] && $failures[] = substr($line, strlen('failed '));
}

echo $failures === [] ? '' : "\nFailed:\n  " . implode("\n  ", $failures) . "\n";
if ($skips !== []) {
    echo "\nSkipped:\n";
    $groups = [];
    foreach ($skips as [$suite, $id, $reason]) {
        $groups["{$suite}: {$reason}"][] = $id;
    }
    foreach ($groups as $reason => $ids) {
        printf("  %d × %s (%s%s)\n", count($ids), $reason, $ids[0], count($ids) > 1 ? ', …' : '');
    }
}
$failed = count($failures);
printf("\n%d passed, %d failed, %d skipped\n", $passed, $failed, count($skips));
exit($failed === 0 ? 0 : 1);
