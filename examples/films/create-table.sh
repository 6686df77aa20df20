#!/usr/bin/env bash
# Creates the table films, with two global indexes and a stream of new and old images.
set -euo pipefail

exec aws dynamodb create-table \
  --endpoint-url http://127.0.0.1:8000 \
  --table-name films \
  --attribute-definitions AttributeName=title,AttributeType=S AttributeName=year,AttributeType=N \
    AttributeName=genre,AttributeType=S \
  --key-schema AttributeName=title,KeyType=HASH AttributeName=year,KeyType=RANGE \
  --global-secondary-indexes \
    'IndexName=by-year,KeySchema=[{AttributeName=year,KeyType=HASH},{AttributeName=title,KeyType=RANGE}],Projection={ProjectionType=INCLUDE,NonKeyAttributes=[genres]}' \
    'IndexName=by-genre,KeySchema=[{AttributeName=genre,KeyType=HASH},{AttributeName=year,KeyType=RANGE}],Projection={ProjectionType=KEYS_ONLY}' \
  --billing-mode PAY_PER_REQUEST \
  --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES \
  "$@"
