<?php

declare(strict_types=1);

use PhpCsFixer\Config;
use PhpCsFixer\Finder;

return (new Config())
    ->setRiskyAllowed(true)
    ->setRules([
        '@PER-CS2.0' => true,
        '@PHP82Migration' => true,
        '@Symfony' => true,
        '@PhpCsFixer' => true,
        'blank_line_before_statement' => ['statements' => ['declare']],
        'class_attributes_separation' => ['elements' => ['method' => 'one', 'property' => 'one', 'trait_import' => 'none', 'case' => 'none']],
        'concat_space' => ['spacing' => 'one'],
        'declare_strict_types' => true,
        'explicit_string_variable' => false,
        'general_phpdoc_annotation_remove' => ['annotations' => ['author']],
        'global_namespace_import' => ['import_classes' => true, 'import_constants' => true, 'import_functions' => true],
        'increment_style' => ['style' => 'post'],
        'method_chaining_indentation' => true,
        'modernize_strpos' => true,
        'multiline_whitespace_before_semicolons' => ['strategy' => 'no_multi_line'],
        'native_function_invocation' => ['include' => ['@compiler_optimized'], 'scope' => 'namespaced', 'strict' => false],
        'not_operator_with_successor_space' => true,
        'nullable_type_declaration_for_default_null_value' => true,
        'ordered_class_elements' => ['order' => ['use_trait', 'case', 'constant_public', 'constant_protected', 'constant_private', 'property', 'construct', 'destruct', 'magic']],
        'ordered_imports' => ['imports_order' => ['class', 'function', 'const'], 'sort_algorithm' => 'alpha'],
        'ordered_types' => ['null_adjustment' => 'always_first'],
        'php_unit_internal_class' => false,
        'php_unit_method_casing' => ['case' => 'camel_case'],
        'php_unit_strict' => false,
        'php_unit_test_case_static_method_calls' => ['call_type' => 'self'],
        'php_unit_test_class_requires_covers' => false,
        'phpdoc_align' => ['align' => 'left'],
        'phpdoc_separation' => false,
        'phpdoc_to_comment' => false,
        'phpdoc_annotation_without_dot' => false,
        'phpdoc_summary' => false,
        'single_line_comment_style' => ['comment_types' => ['hash']],
        'single_line_empty_body' => false,
        'single_line_throw' => false,
        'trailing_comma_in_multiline' => ['after_heredoc' => true, 'elements' => ['arguments', 'array_destructuring', 'arrays', 'match', 'parameters']],
        'yoda_style' => ['always_move_variable' => false, 'equal' => false, 'identical' => false],
    ])
    ->setFinder(
        Finder::create()
            ->in(__DIR__)
            // Edges: generated code that has Python's oddest names in its comments.
            ->exclude(['runtime', 'vendor', '.venv', 'tests/Integration/Generate/Edges'])
            ->append([__DIR__ . '/bin/gotask', __FILE__]),
    )
    ->setCacheFile(__DIR__ . '/.php-cs-fixer.cache');
